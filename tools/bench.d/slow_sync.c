/* Preloaded into a server, makes every sync of a file take MOONGATE_SYNC_US longer: the disk of
 * somebody less lucky. Counted as syncs are the calls that are asked to be, and writes through a
 * descriptor that was opened with O_DSYNC or O_SYNC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  const char* text = getenv("MOONGATE_SYNC_US");
  const long us = text ? atol(text) : 0;
  const struct timespec delay = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&delay, NULL);
}

static void wait_if_synchronous(int file) {
  const int flags = fcntl(file, F_GETFL);
  if (flags >= 0 && (flags & (O_DSYNC | O_SYNC))) wait_for_disk();
}

int fdatasync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_for_disk();
  return real(file);
}

int fsync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_for_disk();
  return real(file);
}

int msync(void* at, size_t bytes, int flags) {
  int (*real)(void*, size_t, int) = (int (*)(void*, size_t, int))dlsym(RTLD_NEXT, "msync");
  if (flags & MS_SYNC) wait_for_disk();
  return real(at, bytes, flags);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t at) {
  ssize_t (*real)(int, const void*, size_t, off_t) =
      (ssize_t(*)(int, const void*, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  wait_if_synchronous(file);
  return real(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off64_t at) {
  ssize_t (*real)(int, const void*, size_t, off64_t) =
      (ssize_t(*)(int, const void*, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  wait_if_synchronous(file);
  return real(file, bytes, count, at);
}
