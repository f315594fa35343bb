// Preloaded into a gateway under test: ends the process as kill -9 does, at a chosen system call
// on the ledger's data file, or lets that call fail as a broken disk does. So a test can hit every
// moment inside a commit, down to half a page. It also tells how much of the disk is free.
//
// MOONGATE_FUSE names a file that holds a struct Fuse and that the test maps as well: it sets
// `left` to n, and the n-th call from then on is struck. Calls are counted all the time.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Manner {
  kBefore,  // dies there, before, after, or when half of what was to be written is
  kAfter,
  kTorn,
  kFails,      // says EIO and does nothing
  kFailsLate,  // says EIO and has done it
  kFailsOn,    // says EIO and does nothing, and so do all calls after it
};
enum Call { kWrite = 1, kSync };

struct Fuse {
  _Atomic int64_t left;   // 0: not lit
  _Atomic int64_t calls;  // so far
  _Atomic int64_t manner;
  _Atomic int64_t burnt;  // the Call it struck
  _Atomic int64_t space;  // free bytes of the disk; 0: as many as there are
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

static ssize_t burn(enum Call call) {
  atomic_store(&fuse->burnt, call);
  if (fuse->manner >= kFails) {
    errno = EIO;
    return -1;
  }
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Counts a call. True when it is to be struck.
static int is_struck(int file) {
  if (!fuse || !is_ledger(file)) return 0;
  atomic_fetch_add(&fuse->calls, 1);
  const int64_t least = fuse->manner == kFailsOn ? 1 : 0;
  int64_t left = atomic_load(&fuse->left);
  while (left > least && !atomic_compare_exchange_weak(&fuse->left, &left, left - 1)) {
  }
  return left == 1;
}

static int is_left_undone(void) {
  return fuse->manner == kBefore || fuse->manner == kFails || fuse->manner == kFailsOn;
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off_t at) {
  const int struck = is_struck(file);
  if (struck && is_left_undone()) return burn(kWrite);
  if (struck && fuse->manner == kTorn) size /= 2;
  const ssize_t out = syscall(SYS_pwrite64, file, bytes, size, at);
  return struck ? burn(kWrite) : out;
}
ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  return pwrite64(file, bytes, size, at);
}

ssize_t writev(int file, const struct iovec* pieces, int count) {
  const int struck = is_struck(file);
  if (struck && is_left_undone()) return burn(kWrite);
  if (struck && fuse->manner == kTorn) {
    struct iovec half = pieces[count / 2];
    half.iov_len /= 2;
    if (count > 1) syscall(SYS_writev, file, pieces, count / 2);
    syscall(SYS_writev, file, &half, 1);
    return burn(kWrite);
  }
  const ssize_t out = syscall(SYS_writev, file, pieces, count);
  return struck ? burn(kWrite) : out;
}

static int sync_with(long number, int file) {
  const int struck = is_struck(file);
  if (struck && (is_left_undone() || fuse->manner == kTorn)) return (int)burn(kSync);
  const int out = (int)syscall(number, file);
  return struck ? (int)burn(kSync) : out;
}
int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }
int fsync(int file) { return sync_with(SYS_fsync, file); }

int statvfs(const char* path, struct statvfs* out) {
  const int failed = statvfs64(path, (struct statvfs64*)out);
  const int64_t space = fuse ? atomic_load(&fuse->space) : 0;
  if (failed || space == 0) return failed;
  out->f_frsize = 1;
  out->f_bavail = (fsblkcnt_t)space;
  return 0;
}
