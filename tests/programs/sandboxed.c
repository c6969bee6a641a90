/* SPDX-License-Identifier: MIT */
/* What can be done before the sandbox and not in it, in the thread that goes in and in one that was there
 * before: each attempt is made outside, where it fails for another reason or not at all, and then inside.
 *
 *     sandboxed FOLDER    for what it makes
 *     sandboxed --calls   prints the calls that are let through */
#include "../unit/check.h"
#include "sandbox.h"
#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOWHERE "/nowhere/at/all"

static char inside[PATH_MAX], outside[PATH_MAX], config[PATH_MAX];

/* 0, or the error. */
static int result_of(long result)
{
    return result < 0 ? errno : 0;
}

static int of_fd(int fd)
{
    const int problem = result_of(fd);
    if (fd >= 0) {
        close(fd);
    }
    return problem;
}

static int of_child(pid_t child)
{
    const int problem = result_of(child);
    if (child == 0) {
        _exit(0);
    }
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    return problem;
}

static int map(int protection)
{
    void *at = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int problem = at == MAP_FAILED ? errno : 0;
    if (at != MAP_FAILED) {
        munmap(at, 4096);
    }
    return problem;
}

static int protect(int protection)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int problem = result_of(mprotect(at, 4096, protection));
    munmap(at, 4096);
    return problem;
}

static int execute(void)
{
    return result_of(execve(NOWHERE, (char *[]){NOWHERE, NULL}, (char *[]){NULL}));
}
static int execute_here(void)
{
    return result_of(syscall(SYS_execveat, -1, "", NULL, NULL, 0));
}
static int have_child(void)
{
    return of_child(fork());
}
static int have_child_by_clone(void)
{
    return of_child((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}
static int trace(void)
{
    return result_of(ptrace(PTRACE_PEEKDATA, 1, NULL, NULL));
}
static int read_process(void)
{
    return result_of(syscall(SYS_process_vm_readv, INT_MAX, NULL, 0, NULL, 0, 0));
}
static int listen_to_kernel(void)
{
    return of_fd(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int call_somebody(void)
{
    return of_fd(socket(AF_INET, SOCK_STREAM, 0));
}
static int call_somebody_here(void)
{
    return of_fd(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int connect_somewhere(void)
{
    return result_of(connect(-1, NULL, 0));
}
static int bind_somewhere(void)
{
    return result_of(bind(-1, NULL, 0));
}
static int listen_somewhere(void)
{
    return result_of(listen(-1, 1));
}
static int signal_somebody(void)
{
    return result_of(kill(INT_MAX, 0));
}
static int signal_thread_of_somebody(void)
{
    return result_of(syscall(SYS_tgkill, INT_MAX, INT_MAX, 0));
}
static int map_code(void)
{
    return map(PROT_READ | PROT_EXEC);
}
static int make_code(void)
{
    return protect(PROT_READ | PROT_EXEC);
}
static int control_process(void)
{
    return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int control_terminal(void)
{
    char byte = '\n';
    return result_of(ioctl(-1, TIOCSTI, &byte));
}
static int take_process(void)
{
    return result_of(syscall(SYS_pidfd_open, -1, 0));
}
static int set_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = 0};
    return result_of(syscall(SYS_capset, &header, NULL));
}
static int lift_limits(void)
{
    return result_of(syscall(SYS_prlimit64, 0, 1000, NULL, NULL));
}
static int change_folder(void)
{
    return result_of(chdir(NOWHERE));
}
static int change_owner(void)
{
    return result_of(chown(NOWHERE, 0, 0));
}
static int make_link(void)
{
    return result_of(symlink("", NOWHERE));
}
static int rename_something(void)
{
    return result_of(rename(NOWHERE, NOWHERE));
}

static const struct attempt {
    const char *name;
    int (*make)(void);
} calls[] = {
    {"execve", execute},
    {"execveat", execute_here},
    {"fork", have_child},
    {"clone", have_child_by_clone},
    {"ptrace", trace},
    {"process_vm_readv", read_process},
    {"socket(AF_NETLINK)", listen_to_kernel},
    {"socket(AF_INET)", call_somebody},
    {"socket(AF_UNIX, SOCK_STREAM)", call_somebody_here},
    {"connect", connect_somewhere},
    {"bind", bind_somewhere},
    {"listen", listen_somewhere},
    {"kill", signal_somebody},
    {"tgkill", signal_thread_of_somebody},
    {"mmap(PROT_EXEC)", map_code},
    {"mprotect(PROT_EXEC)", make_code},
    {"prctl", control_process},
    {"ioctl(TIOCSTI)", control_terminal},
    {"pidfd_open", take_process},
    {"capset", set_capabilities},
    {"prlimit64", lift_limits},
    {"chdir", change_folder},
    {"chown", change_owner},
    {"symlink", make_link},
    {"rename", rename_something},
};

static void try_calls(bool refused)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const int problem = calls[i].make();
        if (!CHECK((problem == EPERM) == refused)) {
            fprintf(stderr, "%s: %s\n", calls[i].name, strerror(problem));
        }
    }
}

/* A file that is made, and gone again. */
static int make_file(const char *folder)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/file", folder);
    const int problem = of_fd(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    return problem != 0 ? problem : result_of(unlink(path));
}

static int read_file(const char *path)
{
    return of_fd(open(path, O_RDONLY | O_CLOEXEC));
}

static void try_files(bool confined)
{
    CHECK(make_file(inside) == 0);
    CHECK(read_file(inside) == 0);
    CHECK(read_file(config) == 0);
    CHECK(read_file("/etc/passwd") == 0);
    CHECK(make_file(outside) == (confined ? EACCES : 0));
    CHECK(read_file(outside) == (confined ? EACCES : 0));
    CHECK(of_fd(open(config, O_WRONLY | O_CLOEXEC)) == (confined ? EACCES : 0));
    CHECK(of_fd(open("/dev/null", O_WRONLY | O_CLOEXEC)) == (confined ? EACCES : 0));
}

/* What serving takes, of what is let through in a narrow sense alone. */
static void try_what_is_needed(void)
{
    CHECK(map(PROT_READ | PROT_WRITE) == 0);
    CHECK(protect(PROT_READ) == 0);
    CHECK(of_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == 0);
    CHECK(result_of(syscall(SYS_tgkill, getpid(), gettid(), 0)) == 0);
    CHECK(pthread_setname_np(pthread_self(), "named") == 0);
}

static void try_status(void)
{
    char line[256];
    unsigned found = 0;
    FILE *status = fopen("/proc/thread-self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        unsigned long long value;
        if (sscanf(line, "CapEff: %llx", &value) == 1 || sscanf(line, "CapPrm: %llx", &value) == 1 ||
            sscanf(line, "CapInh: %llx", &value) == 1 || sscanf(line, "CapAmb: %llx", &value) == 1) {
            CHECK(value == 0);
            found++;
        } else if (sscanf(line, "NoNewPrivs: %llu", &value) == 1) {
            CHECK(value == 1);
            found++;
        } else if (sscanf(line, "Seccomp: %llu", &value) == 1) {
            CHECK(value == 2);
            found++;
        }
    }
    CHECK(found == 6);
    if (status != NULL) {
        fclose(status);
    }
}

struct thread {
    pthread_barrier_t begun, sealed;
    bool confined;
};

static void try_all(bool confined)
{
    try_calls(true);
    try_files(confined);
    try_what_is_needed();
    try_status();
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    pthread_barrier_wait(&thread->begun);
    pthread_barrier_wait(&thread->sealed);
    try_all(thread->confined);
    return NULL;
}

static int print_calls(void)
{
    for (size_t i = 0; i < sizeof serving_calls / sizeof serving_calls[0]; i++) {
        puts(serving_calls[i]);
    }
    return 0;
}

static void name_places(const char *folder)
{
    snprintf(inside, sizeof inside, "%s/data", folder);
    snprintf(outside, sizeof outside, "%s/outside", folder);
    snprintf(config, sizeof config, "%s/etc/server.conf", folder);
    CHECK(mkdir(inside, 0700) == 0);
    CHECK(mkdir(outside, 0700) == 0);
    char *slash = strrchr(config, '/');
    *slash = '\0';
    CHECK(mkdir(config, 0700) == 0);
    *slash = '/';
    CHECK(of_fd(open(config, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
}

int main(int argc, char **argv)
{
    char why[256] = "";
    struct thread thread;
    pthread_t id;

    if (argc == 2 && strcmp(argv[1], "--calls") == 0) {
        return print_calls();
    }
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER|--calls\n", argv[0]);
        return 2;
    }
    name_places(argv[1]);
    try_calls(false);
    try_files(false);
    CHECK(sandbox_enter(inside, config, &thread.confined, why, sizeof why));
    CHECK(pthread_barrier_init(&thread.begun, NULL, 2) == 0);
    CHECK(pthread_barrier_init(&thread.sealed, NULL, 2) == 0);
    CHECK(pthread_create(&id, NULL, run, &thread) == 0);
    pthread_barrier_wait(&thread.begun);
    CHECK(sandbox_seal(why, sizeof why));
    try_all(thread.confined);
    pthread_barrier_wait(&thread.sealed);
    pthread_join(id, NULL);
    printf("files: %s\n", thread.confined ? "confined" : "not confined, this kernel has no Landlock");
    if (why[0] != '\0') {
        fprintf(stderr, "%s\n", why);
    }
    return check_result();
}
