/* Failing files: a library to be loaded before all others (LD_PRELOAD), which counts the operations that a
 * process makes on the files of one folder, and at the n-th kills the process, or lets the operation fail.
 * It can also write down every operation with its data, so that states after a power loss can be made.
 *
 * Nothing happens before files_arm() is called, so a process can import what it needs, fork, and arm the child.
 * Writes through mmap() are not seen: SQLite's -shm file, which is made anew after a power loss, and memory maps.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, KILL_HALFWAY, NO_SPACE, NO_SPACE_FROM_THEN, IO_ERROR, IO_ERROR_FROM_THEN, SHORT_WRITE };
enum { WRITE = 1, SYNC, TRUNCATE, RENAME, UNLINK, CREATE, MAKE_FOLDER, REMOVE_FOLDER, LINK, MARK };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int armed, fault, fired, journal = -1;
static long at, counted;
static char folder[PATH_MAX];
static size_t folder_length;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_below(const char *path) {
    return armed && !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

/* The path of an open file; 0 where it is none of the folder's. */
static int path_of(int fd, char *path) {
    char link[64];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return is_below(path);
}

/* A path as absolute one; 0 where it is none of the folder's. */
static int absolute(int dirfd, const char *path, char *full) {
    if (!armed || !path) return 0;
    if (path[0] == '/') snprintf(full, PATH_MAX, "%s", path);
    else {
        char base[PATH_MAX];
        if (dirfd == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n <= 0) return 0;
            base[n] = 0;
        }
        if ((size_t)snprintf(full, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    }
    return is_below(full);
}

static void put(const void *data, size_t n) {
    const char *next = data;
    while (n) {
        ssize_t done = syscall(SYS_write, journal, next, n);
        if (done < 0) { if (errno == EINTR) continue; abort(); }
        next += done;
        n -= (size_t)done;
    }
}

/* Writes an operation down. inode: of the file, by which it is known however it is called. */
static void note(uint32_t what, uint64_t inode, const char *path, const char *other, uint64_t offset,
                 const void *data, uint64_t n) {
    if (journal < 0) return;
    int before = errno;
    uint32_t head[4] = {what, (uint32_t)strlen(path), (uint32_t)strlen(other), 0};
    uint64_t numbers[3] = {inode, offset, n};
    put(head, sizeof head);
    put(numbers, sizeof numbers);
    put(path, head[1]);
    put(other, head[2]);
    if (data) put(data, n);
    errno = before;
}

static uint64_t inode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : (uint64_t)status.st_ino;
}

/* Counts an operation. 0: it goes on; otherwise the number of the error that it fails with. *share is set to 1
 * where a write is to be cut in half: for a short write, or (*dies) before a kill. */
static int count(int takes_space, int *cut, int *dies) {
    counted++;
    if (fault == COUNT || counted < at || (fired && fault != NO_SPACE_FROM_THEN && fault != IO_ERROR_FROM_THEN))
        return 0;
    switch (fault) {
    case KILL:
        syscall(SYS_kill, getpid(), SIGKILL);
        pause();
        return 0;
    case KILL_HALFWAY:
        if (!cut) { syscall(SYS_kill, getpid(), SIGKILL); pause(); }
        *cut = *dies = fired = 1;
        return 0;
    case NO_SPACE:
    case NO_SPACE_FROM_THEN:
        if (!takes_space) return 0;
        fired = 1;
        return ENOSPC;
    case IO_ERROR:
    case IO_ERROR_FROM_THEN:
        fired = 1;
        return EIO;
    case SHORT_WRITE:
        if (cut) *cut = fired = 1;
        return 0;
    }
    return 0;
}

/* Arms this process. what: one of the faults; n: at which operation, from 1; to: file to write operations into. */
int files_arm(const char *below, int what, long n, const char *to) {
    snprintf(folder, sizeof folder, "%s", below);
    folder_length = strlen(folder);
    fault = what;
    at = n;
    counted = fired = 0;
    if (to && *to) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        journal = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 200);
        if (journal < 0) return -1;
    }
    armed = 1;
    return 0;
}

long files_counted(void) { return counted; }
int files_fired(void) { return fired; }

/* Writes down that something has been acknowledged. */
void files_mark(const char *text) {
    pthread_mutex_lock(&lock);
    note(MARK, 0, text, "", 0, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static void die(void) { syscall(SYS_kill, getpid(), SIGKILL); pause(); }

#define BEGIN pthread_mutex_lock(&lock)
#define END pthread_mutex_unlock(&lock)
#define FAIL(number) do { END; errno = (number); return -1; } while (0)

static ssize_t write_at(int fd, const void *data, size_t n, off_t offset, int is_positioned, const char *path) {
    int cut = 0, dies = 0, error = count(1, &cut, &dies);
    if (error) { errno = error; return -1; }
    size_t part = cut && n > 1 ? n / 2 : n;
    if (!is_positioned) {
        if (fcntl(fd, F_GETFL) & O_APPEND) { struct stat status; fstat(fd, &status); offset = status.st_size; }
        else offset = lseek(fd, 0, SEEK_CUR);
    }
    ssize_t done = is_positioned ? syscall(SYS_pwrite64, fd, data, part, offset) : syscall(SYS_write, fd, data, part);
    if (done > 0) note(WRITE, inode_of(fd), path, "", (uint64_t)offset, data, (uint64_t)done);
    if (dies) die();
    return done;
}

ssize_t write(int fd, const void *data, size_t n) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_write, fd, data, n);
    BEGIN;
    ssize_t done = write_at(fd, data, n, 0, 0, path);
    END;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_pwrite64, fd, data, n, offset);
    BEGIN;
    ssize_t done = write_at(fd, data, n, offset, 1, path);
    END;
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) { return pwrite(fd, data, n, offset); }

ssize_t writev(int fd, const struct iovec *parts, int n) {
    char path[PATH_MAX];
    REAL(writev);
    if (!path_of(fd, path)) return real(fd, parts, n);
    ssize_t total = 0;
    BEGIN;
    for (int i = 0; i < n; i++) {
        if (!parts[i].iov_len) continue;
        ssize_t done = write_at(fd, parts[i].iov_base, parts[i].iov_len, 0, 0, path);
        if (done < 0) { END; return total ? total : -1; }
        total += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    END;
    return total;
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *file) {
    char path[PATH_MAX];
    REAL(fwrite);
    if (!path_of(fileno(file), path)) return real(data, size, n, file);
    BEGIN;
    if (fflush(file)) { END; return 0; }
    off_t offset = ftello(file);
    int cut = 0, dies = 0, error = count(1, &cut, &dies);
    if (error) { END; errno = error; return 0; }
    size_t part = dies && n > 1 ? n / 2 : n; /* stdio goes on after a short write by itself */
    size_t done = real(data, size, part, file);
    if (fflush(file)) { END; return 0; }
    note(WRITE, inode_of(fileno(file)), path, "", (uint64_t)offset, data, done * size);
    if (dies) die();
    END;
    return done;
}

/* Copies go through write(), so that what is copied is seen. */
ssize_t sendfile(int out, int in, off_t *offset, size_t n) {
    char path[PATH_MAX];
    if (!path_of(out, path)) return syscall(SYS_sendfile, out, in, offset, n);
    char block[65536];
    if (n > sizeof block) n = sizeof block;
    ssize_t got = offset ? pread(in, block, n, *offset) : read(in, block, n);
    if (got <= 0) return got;
    ssize_t done = write(out, block, (size_t)got);
    if (done < 0) { if (!offset) lseek(in, -got, SEEK_CUR); return -1; }
    if (offset) *offset += done;
    else if (done < got) lseek(in, done - got, SEEK_CUR);
    return done;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t n) { return sendfile(out, in, offset, n); }

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags) {
    char path[PATH_MAX];
    if (!path_of(out, path)) return syscall(SYS_copy_file_range, in, in_at, out, out_at, n, flags);
    errno = EXDEV; /* as where two file systems cannot share; callers then read and write */
    return -1;
}

static int sync_file(long number, int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(number, fd);
    BEGIN;
    int error = count(1, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(number, fd);
    if (!done) note(SYNC, inode_of(fd), path, "", 0, NULL, 0);
    END;
    return done;
}

int fsync(int fd) { return sync_file(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_file(SYS_fdatasync, fd); }

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(SYS_ftruncate, fd, size);
    BEGIN;
    struct stat status;
    int grows = !fstat(fd, &status) && size > status.st_size;
    int error = count(grows, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (!done) note(TRUNCATE, inode_of(fd), path, "", (uint64_t)size, NULL, 0);
    END;
    return done;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int rename_it(int old_fd, const char *old, int new_fd, const char *new, unsigned flags) {
    char from[PATH_MAX], to[PATH_MAX];
    int is_ours = absolute(old_fd, old, from);
    if (!(absolute(new_fd, new, to) | is_ours)) return (int)syscall(SYS_renameat2, old_fd, old, new_fd, new, flags);
    BEGIN;
    int error = count(1, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(SYS_renameat2, old_fd, old, new_fd, new, flags);
    if (!done) note(RENAME, 0, from, to, 0, NULL, 0);
    END;
    return done;
}

int rename(const char *old, const char *new) { return rename_it(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int a, const char *old, int b, const char *new) { return rename_it(a, old, b, new, 0); }
int renameat2(int a, const char *old, int b, const char *new, unsigned flags) {
    return rename_it(a, old, b, new, flags);
}

static int unlink_it(int dirfd, const char *path, int flags) {
    char full[PATH_MAX];
    if (!absolute(dirfd, path, full)) return (int)syscall(SYS_unlinkat, dirfd, path, flags);
    BEGIN;
    int error = count(0, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(SYS_unlinkat, dirfd, path, flags);
    if (!done) note(flags & AT_REMOVEDIR ? REMOVE_FOLDER : UNLINK, 0, full, "", 0, NULL, 0);
    END;
    return done;
}

int unlink(const char *path) { return unlink_it(AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return unlink_it(dirfd, path, flags); }
int rmdir(const char *path) { return unlink_it(AT_FDCWD, path, AT_REMOVEDIR); }

static int make_folder(int dirfd, const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (!absolute(dirfd, path, full) || !access(full, F_OK)) return (int)syscall(SYS_mkdirat, dirfd, path, mode);
    BEGIN;
    int error = count(1, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(SYS_mkdirat, dirfd, path, mode);
    if (!done) note(MAKE_FOLDER, 0, full, "", 0, NULL, 0);
    END;
    return done;
}

int mkdir(const char *path, mode_t mode) { return make_folder(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return make_folder(dirfd, path, mode); }

int link(const char *old, const char *new) {
    char from[PATH_MAX], to[PATH_MAX];
    int is_ours = absolute(AT_FDCWD, old, from);
    if (!(absolute(AT_FDCWD, new, to) | is_ours)) return (int)syscall(SYS_linkat, AT_FDCWD, old, AT_FDCWD, new, 0);
    BEGIN;
    int error = count(1, NULL, NULL);
    if (error) FAIL(error);
    int done = (int)syscall(SYS_linkat, AT_FDCWD, old, AT_FDCWD, new, 0);
    if (!done) note(LINK, 0, from, to, 0, NULL, 0);
    END;
    return done;
}

static int open_it(int dirfd, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !absolute(dirfd, path, full))
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    struct stat status;
    int is_new = stat(full, &status) != 0;
    if (!is_new && (!(flags & O_TRUNC) || !status.st_size))
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    BEGIN;
    int error = count(is_new, NULL, NULL);
    if (error) FAIL(error);
    int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    if (fd >= 0) note(is_new ? CREATE : TRUNCATE, inode_of(fd), full, "", 0, NULL, 0);
    END;
    return fd;
}

#define MODE(last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags) return open_it(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_it(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_it(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) {
    MODE(flags) return open_it(dirfd, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) { return open_it(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* fopen() opens inside the C library, where open() above is not asked; fdopen() is. */
static FILE *open_stream(const char *path, const char *how) {
    int flags = strchr(how, '+') ? O_RDWR : how[0] == 'r' ? O_RDONLY : O_WRONLY;
    if (how[0] != 'r') flags |= O_CREAT | (how[0] == 'a' ? O_APPEND : O_TRUNC);
    if (strchr(how, 'x')) flags |= O_EXCL;
    if (strchr(how, 'e')) flags |= O_CLOEXEC;
    int fd = open_it(AT_FDCWD, path, flags, 0666);
    if (fd < 0) return NULL;
    FILE *file = fdopen(fd, how);
    if (!file) close(fd);
    return file;
}

FILE *fopen(const char *path, const char *how) {
    REAL(fopen);
    return armed && how[0] != 'r' ? open_stream(path, how) : real(path, how);
}
FILE *fopen64(const char *path, const char *how) {
    REAL(fopen64);
    return armed && how[0] != 'r' ? open_stream(path, how) : real(path, how);
}
