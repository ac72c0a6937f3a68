/*
 * What of a folder would a power cut leave? Preloaded into the service, this keeps a twin of VSTEST_POWER_FOLDER in
 * VSTEST_POWER_TWIN which has of each file what was written before its last sync, and the names of the last sync of
 * the folder. So the twin is the worst that a disk may do which keeps its word.
 *
 * Content is kept by inode, in `.ino-N`; a durable name is a hard link to it. Each sync of content that was copied
 * adds a byte to `.syncs`, so that a run can tell that it was watched. -shm files are rebuilt after a crash and are
 * left out. Whatever goes wrong here ends the process: a twin that is not one would prove nothing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))
#define MUST(condition) ((condition) ? (void)0 : fail(#condition))
#define FILES_MAX 256

struct file {
  ino_t ino;
  off_t first, end; /* Written since the last sync. */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *twin;
static dev_t device;
static ino_t folder_ino;
static struct file files[FILES_MAX];
static int file_count;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void fail(const char *what) {
  fprintf(stderr, "power-cut: %s: %s\n", what, strerror(errno));
  abort();
}

static char *twin_of(ino_t ino, char *path) {
  snprintf(path, 4096, "%s/.ino-%lu", twin, (unsigned long)ino);
  return path;
}

static int is_inside(const char *path) {
  size_t length = folder ? strlen(folder) : 0, all = strlen(path);
  if (length == 0 || strncmp(path, folder, length) != 0 || path[length] != '/') return 0;
  return all < 4 || strcmp(path + all - 4, "-shm") != 0;
}

static struct file *find(const struct stat *found) {
  if (found->st_dev != device) return NULL;
  for (int i = 0; i < file_count; i++)
    if (files[i].ino == found->st_ino) return &files[i];
  return NULL;
}

static void copy(int from, ino_t ino, off_t first, off_t end, off_t size) {
  static char bytes[1 << 20];
  char path[4096];
  int to = REAL(open64)(twin_of(ino, path), O_WRONLY | O_CREAT, 0600);
  MUST(to >= 0);
  for (off_t at = first; at < end;) {
    size_t wanted = end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes;
    ssize_t got = pread64(from, bytes, wanted, at);
    MUST(got >= 0);
    if (got == 0) break;
    MUST(REAL(pwrite64)(to, bytes, got, at) == got);
    at += got;
  }
  MUST(REAL(ftruncate64)(to, size) == 0);
  close(to);
}

/* What a process before this one wrote and did not sync is not known: the whole file counts as written. */
static void watch(int fd) {
  struct stat found;
  if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) || find(&found)) return;
  MUST(file_count < FILES_MAX);
  files[file_count++] = (struct file){found.st_ino, 0, found.st_size};
  char path[4096];
  int made = REAL(open64)(twin_of(found.st_ino, path), O_WRONLY | O_CREAT, 0600);
  MUST(made >= 0);
  close(made);
}

/* Its number may be given to a new file. Where its name is still durable, that keeps the content. */
static void forget(const struct stat *gone) {
  char path[4096];
  struct file *file = find(gone);
  if (gone->st_dev == device) REAL(unlink)(twin_of(gone->st_ino, path));
  if (file != NULL) *file = files[--file_count];
}

static void write_to(int fd, off_t at, off_t length) {
  struct stat found;
  if (folder == NULL || length <= 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return;
  pthread_mutex_lock(&lock);
  struct file *file = find(&found);
  if (file != NULL) {
    int is_clean = file->first >= file->end;
    if (is_clean || at < file->first) file->first = at;
    if (is_clean || at + length > file->end) file->end = at + length;
  }
  pthread_mutex_unlock(&lock);
}

static void sync_names(void) {
  char from[4096], to[4096], fresh[4096];
  struct dirent *entry;
  struct stat found, old;
  DIR *names = opendir(folder);
  MUST(names != NULL);
  snprintf(fresh, sizeof fresh, "%s/.fresh", twin);
  while ((entry = readdir(names)) != NULL) {
    if (fstatat(dirfd(names), entry->d_name, &found, 0) != 0 || access(twin_of(found.st_ino, from), F_OK) != 0) continue;
    snprintf(to, sizeof to, "%s/%s", twin, entry->d_name);
    if (stat(from, &found) == 0 && stat(to, &old) == 0 && found.st_ino == old.st_ino) continue;
    MUST(link(from, fresh) == 0 && REAL(rename)(fresh, to) == 0);
  }
  closedir(names);
  MUST((names = opendir(twin)) != NULL);
  while ((entry = readdir(names)) != NULL) {
    snprintf(from, sizeof from, "%s/%s", folder, entry->d_name);
    snprintf(to, sizeof to, "%s/%s", twin, entry->d_name);
    if (entry->d_name[0] != '.' && access(from, F_OK) != 0) MUST(REAL(unlink)(to) == 0);
  }
  closedir(names);
}

static void count_sync(const char *bytes) {
  char path[4096];
  snprintf(path, sizeof path, "%s/.syncs", twin);
  int count = REAL(open64)(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  MUST(count >= 0 && REAL(write)(count, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
  close(count);
}

/* What was written before the call is on disk when it returns; what is written meanwhile need not be. */
static int shadow_sync(int fd, int (*sync)(int)) {
  struct stat found;
  if (folder == NULL || fstat(fd, &found) != 0 || found.st_dev != device) return sync(fd);
  int is_folder = found.st_ino == folder_ino;
  pthread_mutex_lock(&lock);
  struct file *file = find(&found);
  struct file before = file ? *file : (struct file){0, 0, 0};
  if (file) file->first = file->end = 0;
  pthread_mutex_unlock(&lock);
  int result = sync(fd);
  if (result != 0 || !(file || is_folder)) return result;
  pthread_mutex_lock(&lock);
  if (is_folder) sync_names();
  else copy(fd, before.ino, before.first, before.end, found.st_size);
  count_sync("+");
  pthread_mutex_unlock(&lock);
  return result;
}

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int fd = REAL(open64)(path, flags, va_arg(arguments, mode_t));
  va_end(arguments);
  if (fd < 0 || !is_inside(path)) return fd;
  pthread_mutex_lock(&lock);
  watch(fd);
  pthread_mutex_unlock(&lock);
  return fd;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  ssize_t written = REAL(pwrite64)(fd, bytes, length, at);
  write_to(fd, at, written);
  return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  ssize_t written = REAL(write)(fd, bytes, length);
  if (folder != NULL && written > 0) write_to(fd, lseek64(fd, 0, SEEK_CUR) - written, written);
  return written;
}

int fsync(int fd) { return shadow_sync(fd, REAL(fsync)); }
int fdatasync(int fd) { return shadow_sync(fd, REAL(fdatasync)); }

int unlink(const char *path) {
  struct stat gone;
  int is_ours = is_inside(path) && stat(path, &gone) == 0;
  int result = REAL(unlink)(path);
  pthread_mutex_lock(&lock);
  if (is_ours && result == 0) forget(&gone);
  pthread_mutex_unlock(&lock);
  return result;
}

int rename(const char *from, const char *to) {
  struct stat gone;
  int is_ours = is_inside(to) && stat(to, &gone) == 0;
  int result = REAL(rename)(from, to);
  pthread_mutex_lock(&lock);
  if (is_ours && result == 0) forget(&gone);
  pthread_mutex_unlock(&lock);
  return result;
}

/* What was there before the first run is on disk. */
__attribute__((constructor)) static void begin(void) {
  struct stat found;
  char path[4096];
  twin = getenv("VSTEST_POWER_TWIN");
  folder = getenv("VSTEST_POWER_FOLDER");
  if (folder == NULL) return;
  MUST(twin != NULL && stat(folder, &found) == 0);
  device = found.st_dev;
  folder_ino = found.st_ino;
  snprintf(path, sizeof path, "%s/.syncs", twin);
  if (access(path, F_OK) == 0) return;
  DIR *names = opendir(folder);
  MUST(names != NULL);
  for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
    if (fstatat(dirfd(names), entry->d_name, &found, 0) != 0 || !S_ISREG(found.st_mode)) continue;
    int fd = openat(dirfd(names), entry->d_name, O_RDONLY);
    MUST(fd >= 0);
    copy(fd, found.st_ino, 0, found.st_size, found.st_size);
    close(fd);
  }
  closedir(names);
  sync_names();
  count_sync("");
}
