// Preloaded into a gateway under test: ends the process as kill -9 does, at a chosen system call
// on the ledger's data file. So a test can hit every moment inside a commit, down to half a page.
//
// MOONGATE_FUSE names a file that holds a struct Fuse and that the test maps as well: it sets
// `left` to n, and the n-th call from then on is the last one. Calls are counted all the time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Manner { kBefore, kAfter, kTorn };  // torn: half of what was to be written is
enum Call { kWrite = 1, kSync };

struct Fuse {
  _Atomic int64_t left;   // 0: not lit
  _Atomic int64_t calls;  // so far
  _Atomic int64_t manner;
  _Atomic int64_t burnt;  // the Call it ended in
};

static struct Fuse* fuse;

__attribute__((constructor)) static void map_fuse(void) {
  const char* path = getenv("MOONGATE_FUSE");
  if (!path) return;
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) abort();
  fuse = mmap(NULL, sizeof(struct Fuse), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (fuse == MAP_FAILED) abort();
  close(file);
}

static int is_ledger(int file) {
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, target, sizeof target);
  return size > 9 && memcmp(target + size - 9, "/data.mdb", 9) == 0;
}

static void die(enum Call call) {
  atomic_store(&fuse->burnt, call);
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Counts a call. True when it is to be the last one.
static int is_last(int file) {
  if (!fuse || !is_ledger(file)) return 0;
  atomic_fetch_add(&fuse->calls, 1);
  int64_t left = atomic_load(&fuse->left);
  while (left > 0 && !atomic_compare_exchange_weak(&fuse->left, &left, left - 1)) {
  }
  return left == 1;
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off_t at) {
  const int last = is_last(file);
  if (last && fuse->manner == kBefore) die(kWrite);
  if (last && fuse->manner == kTorn) size /= 2;
  const ssize_t out = syscall(SYS_pwrite64, file, bytes, size, at);
  if (last) die(kWrite);
  return out;
}
ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  return pwrite64(file, bytes, size, at);
}

ssize_t writev(int file, const struct iovec* pieces, int count) {
  const int last = is_last(file);
  if (last && fuse->manner == kBefore) die(kWrite);
  if (last && fuse->manner == kTorn) {
    struct iovec half = pieces[count / 2];
    half.iov_len /= 2;
    if (count > 1) syscall(SYS_writev, file, pieces, count / 2);
    syscall(SYS_writev, file, &half, 1);
    die(kWrite);
  }
  const ssize_t out = syscall(SYS_writev, file, pieces, count);
  if (last) die(kWrite);
  return out;
}

static int sync_with(long number, int file) {
  const int last = is_last(file);
  if (last && fuse->manner != kAfter) die(kSync);
  const int out = (int)syscall(number, file);
  if (last) die(kSync);
  return out;
}
int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }
int fsync(int file) { return sync_with(SYS_fsync, file); }
