# SPDX-License-Identifier: MIT
# The system calls of prosa-server. Of this list `prosa-server --sandbox` makes its filter
# (ref-server/sandbox.c), and its unit the line SystemCallFilter= (deploy/prosa-server.service.in). Some names
# are those of other processors or of other C libraries.

# What it takes to serve, to read settings again, and to end. Six of them in a narrow sense alone: sandbox.c.
set(PROSA_CALLS_SERVING
    # files: the log, the settings
    access close faccessat faccessat2 fchmod fcntl fdatasync fstat fsync ftruncate lseek lstat newfstatat open
    openat pread64 pwrite64 read readv stat statx unlink unlinkat write writev
    # sockets and waiting
    accept accept4 epoll_ctl epoll_pwait epoll_wait getpeername getsockname getsockopt ioctl poll ppoll recvfrom
    recvmsg sendmsg sendto setsockopt shutdown socket
    # memory and threads
    brk exit exit_group futex madvise mmap mprotect mremap munmap prctl restart_syscall rseq rt_sigaction
    rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield set_robust_list tgkill
    # what is asked for
    clock_getres clock_gettime clock_nanosleep getegid geteuid getgid getpid getrandom gettid gettimeofday getuid
    nanosleep time
)

# What comes before: the program is loaded, makes its key, opens the log, starts its threads, looks up the name
# that it listens on, and goes into the sandbox.
set(PROSA_CALLS_STARTING
    arch_prctl bind capget clone clone3 connect dup dup2 dup3 epoll_create epoll_create1 eventfd2 execve getcwd
    getdents64 getppid getrlimit landlock_add_rule landlock_create_ruleset landlock_restrict_self link linkat listen
    mkdir mkdirat prlimit64 readlink readlinkat rename renameat renameat2 seccomp sendmmsg set_tid_address
    sigaltstack signalfd4 socketpair statfs fstatfs sysinfo uname
)
