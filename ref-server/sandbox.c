/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What befalls a call that is not on the list. Not the death of the process: a path of some library that
 * nobody has seen yet would take the chat from all, while code of an attacker gains nothing by a call that
 * fails. The tests have a server that is killed, for whom the list must be complete. */
#ifndef SANDBOX_ACTION
#define SANDBOX_ACTION SCMP_ACT_ERRNO(EPERM)
#endif

/* --- capabilities ------------------------------------------------------------------------------ */

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, sets) != 0) {
        return -errno;
    }
    /* Whoever has none, as in the unit, need not be let call it. */
    if (memcmp(sets, none, sizeof none) != 0 && syscall(SYS_capset, &header, none) != 0) {
        return -errno;
    }
    return 0;
}

/* --- files ------------------------------------------------------------------------------------- */

/* The rights of the first version, which all have; MAKE_SYM is the last of them. */
#define FILES_ALL  ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FILES_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES_WRITE                                                                                          \
    (FILES_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                           \
     LANDLOCK_ACCESS_FS_MAKE_REG)

/* Names and their resolver, time zones, processors. */
static const char *const system_folders[] = {"/etc", "/usr", "/lib",  "/lib64",
                                             "/run", "/dev", "/proc", "/sys"};

static int allow(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) {
        return -errno;
    }
    const long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    const int problem = result != 0 ? -errno : 0;
    close(rule.parent_fd);
    return problem;
}

static int allow_system(int ruleset)
{
    for (size_t i = 0; i < sizeof system_folders / sizeof system_folders[0]; i++) {
        const int problem = allow(ruleset, system_folders[i], FILES_READ);
        if (problem != 0 && problem != -ENOENT) {
            return problem;
        }
    }
    return 0;
}

/* The folder where a file really is, and where the next one of that name will be. */
static int allow_folder_of(int ruleset, const char *file)
{
    char path[PATH_MAX];
    return realpath(file, path) == NULL ? -errno : allow(ruleset, dirname(path), FILES_READ);
}

/* -ENOSYS: this kernel has no Landlock, or does not use it. */
static int confine_files(const char *folder, const char *config)
{
    const struct landlock_ruleset_attr handled = {.handled_access_fs = FILES_ALL};
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (ruleset < 0) {
        return errno == EOPNOTSUPP ? -ENOSYS : -errno;
    }
    int problem = allow(ruleset, folder, FILES_WRITE);
    problem = problem != 0 || config == NULL ? problem : allow_folder_of(ruleset, config);
    problem = problem != 0 ? problem : allow_system(ruleset);
    if (problem == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        problem = -errno;
    }
    close(ruleset);
    return problem;
}

/* Always false. */
static bool fail(const char *what, int problem, char *why, size_t why_size)
{
    snprintf(why, why_size, "sandbox: %s: %s; --sandbox=no goes without", what, strerror(-problem));
    return false;
}

#ifdef SANDBOX_SANITIZED
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

bool sandbox_enter(const char *folder, const char *config, bool *files, char *why, size_t why_size)
{
    /* At the end it stops all threads, and looks at their memory. */
    if (is_sanitized) {
        return fail("this build has a sanitizer, which does what is refused there", -EPERM, why, why_size);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return fail("new privileges cannot be ruled out", -errno, why, why_size);
    }
    int problem = drop_capabilities();
    if (problem != 0) {
        return fail("capabilities cannot be dropped", problem, why, why_size);
    }
    problem = confine_files(folder, config);
    *files = problem == 0;
    if (problem != 0 && problem != -ENOSYS) {
        return fail("the rest of the files cannot be shut out", problem, why, why_size);
    }
    /* Where SQLite may put aside what it sorts. */
    return setenv("SQLITE_TMPDIR", folder, 1) == 0 || fail("environment", -errno, why, why_size);
}

/* --- calls ------------------------------------------------------------------------------------- */

struct narrow {
    const char *name;
    unsigned count;
    struct scmp_arg_cmp conditions[2];
};

/* A call that is allowed for a purpose. *found: it is one. */
static int add_narrow(scmp_filter_ctx filter, const char *name, bool *found)
{
    const struct narrow all[] = {
        /* no code that was not there */
        {"mmap", 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        {"mprotect", 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        /* sd_notify() */
        {"socket", 2, {SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xF, SOCK_DGRAM)}},
        /* the name of the interface in a link-local address; whether stdout is a terminal */
        {"ioctl", 1, {SCMP_A1(SCMP_CMP_EQ, SIOCGIFNAME, 0)}},
        {"ioctl", 1, {SCMP_A1(SCMP_CMP_EQ, TCGETS, 0)}},
        /* a thread that only begins */
        {"prctl", 1, {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0)}},
        /* abort() */
        {"tgkill", 1, {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)}},
    };
    int problem = 0;
    *found = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && problem == 0; i++) {
        if (strcmp(all[i].name, name) == 0) {
            *found = true;
            problem = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name),
                                             all[i].count, all[i].conditions);
        }
    }
    return problem;
}

static int add(scmp_filter_ctx filter, const char *name)
{
    bool is_narrow;
    const int problem = add_narrow(filter, name, &is_narrow);
    return is_narrow ? problem
                     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 0);
}

static int fill(scmp_filter_ctx filter)
{
    int problem = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* The kernel's log tells of calls that failed here. */
    problem = problem != 0 ? problem : seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    for (size_t i = 0; i < sizeof serving_calls / sizeof serving_calls[0] && problem == 0; i++) {
        problem = add(filter, serving_calls[i]);
    }
    return problem != 0 ? problem : seccomp_load(filter);
}

bool sandbox_seal(char *why, size_t why_size)
{
    const scmp_filter_ctx filter = seccomp_init(SANDBOX_ACTION);
    const int problem = filter != NULL ? fill(filter) : -ENOMEM;
    seccomp_release(filter);
    return problem == 0 || fail("system calls cannot be filtered", problem, why, why_size);
}
