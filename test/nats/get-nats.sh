#!/bin/sh
# Puts a nats-server of at least a given version into a folder, for tests and trials; operators pin upstream's image.
#
#   sh get-nats.sh FOLDER [FLOOR]        FLOOR: 2.15.0 if not given
#
# It is Debian's package, unpacked and not installed: apt works on a state of its own below FOLDER, with one extra source
# (the mirror of this system's apt sources, newer suites), so nothing of the system changes and no root is needed. apt checks
# the archive's signature. Prints the path of the binary, the last line of stdout. Otherwise one line on stderr and exit code
# 64 (usage), 69 (no mirror, no such package, no download), 65 (what came is too old or does not run).
set -eu

fail() { code=$1; shift; echo "get-nats: $*" >&2; exit "$code"; }

[ $# -ge 1 ] && [ $# -le 2 ] && [ -n "$1" ] || fail 64 'usage: get-nats.sh FOLDER [FLOOR]'
floor=${2:-2.15.0}
case $floor in *[!0-9.]* | '' | .* | *. ) fail 64 "FLOOR is a version like 2.15.0, not '$floor'" ;; esac
for tool in apt-get apt-cache dpkg dpkg-deb; do
  command -v "$tool" >/dev/null || fail 69 "needs $tool: on another system take upstream's release"
done
mkdir -p "$1" || fail 69 "cannot make $1"
folder=$(cd "$1" && pwd)
binary=$folder/nats-server

version_of() { "$1" --version 2>/dev/null | sed -n 's/^nats-server: v\{0,1\}\([0-9][0-9.]*\).*/\1/p'; }
is_enough() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$floor"; }

if [ -x "$binary" ] && is_enough "$(version_of "$binary")"; then echo "$binary"; exit 0; fi

# The mirror: where this system takes Debian itself from (not its security updates, not anybody else's packages).
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
  awk '$2 !~ /security/ && $1 ~ /\/debian\/?$/ { print $1; exit }')
[ -n "$mirror" ] || fail 69 'no Debian mirror among the apt sources of this system'

state=$folder/.apt
trap 'rm -rf "$state"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/etc"
: > "$state/status"
keyring=$(dpkg -L debian-archive-keyring 2>/dev/null | grep '/debian-archive-keyring\.[gp]*$' | head -n 1)
[ -r "$keyring" ] || fail 69 'the package debian-archive-keyring is missing'
for suite in testing unstable; do
  echo "deb [signed-by=$keyring] $mirror $suite main"
done > "$state/etc/sources.list"

quietly() { # the system's proxies and certificates stay in force: only state and sources are our own
  "$@" -q -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::State::lists="$state/lists" \
    -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/etc/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Retries=2 -o APT::Update::Error-Mode=any 2>"$state/errors"
}
quietly apt-get update >/dev/null || fail 69 "the mirror's newer suites cannot be read: $(head -n 1 "$state/errors")"

package=$(quietly apt-cache madison nats-server | awk -F'|' '{ gsub(/ /, "", $2); print $2 }' |
  while read -r version; do
    if dpkg --compare-versions "${version%%-*}" ge "$floor"; then echo "$version"; break; fi
  done)
[ -n "$package" ] || fail 69 "no nats-server $floor or newer on the mirror of this system"
(cd "$state/cache" && quietly apt-get download "nats-server=$package" >/dev/null) ||
  fail 69 "nats-server $package cannot be downloaded: $(head -n 1 "$state/errors")"
dpkg-deb -x "$state"/cache/nats-server_*.deb "$state/unpacked" || fail 65 'the package cannot be unpacked'

found=$(version_of "$state/unpacked/usr/sbin/nats-server" || true)
[ -n "$found" ] || fail 65 "nats-server $package does not run here (glibc?)"
is_enough "$found" || fail 65 "nats-server says that it is $found, and $floor is needed"
mv "$state/unpacked/usr/sbin/nats-server" "$binary"
echo "$binary"
