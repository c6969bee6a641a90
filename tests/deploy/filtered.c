/* SPDX-License-Identifier: MIT */
/* Runs a program as a unit with SystemCallFilter= and without capabilities does, but that a call which is not
 * allowed is its death; names that are none on this machine do not count.
 *     filtered CALL... -- PROGRAM WORD... */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what, int problem)
{
    fprintf(stderr, "filtered: %s: %s\n", what, strerror(problem));
    return 125;
}

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        const int call = seccomp_syscall_resolve_name(argv[at]);
        const int problem = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        if (problem != 0) {
            return fail(argv[at], -problem);
        }
    }
    if (at + 1 >= argc) {
        return fail("there is no program", EINVAL);
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    int problem =
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
    problem = problem != 0 ? problem : seccomp_load(filter);
    seccomp_release(filter);
    if (problem != 0) {
        return fail("no filter", -problem);
    }
    execv(argv[at + 1], argv + at + 1);
    return fail(argv[at + 1], errno);
}
