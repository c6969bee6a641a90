/* SPDX-License-Identifier: MIT */
#include "datafolder.h"

#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool datafolder_open(const char *given, char *out, size_t cap, char *why, size_t why_size)
{
    const char *home = getenv("HOME");
    const char *xdg = getenv("XDG_DATA_HOME");
    int size = 0;

    if (given != NULL) {
        size = snprintf(out, cap, "%s", given);
    } else if (xdg != NULL && xdg[0] == '/') {
        size = snprintf(out, cap, "%s/prosa", xdg);
    } else if (home != NULL && home[0] != '\0') {
        size = snprintf(out, cap, "%s/.local/share/prosa", home);
    } else {
        snprintf(why, why_size, "there is no $HOME: say with --data where keys are kept");
        return false;
    }
    if (size < 0 || (size_t)size >= cap) {
        snprintf(why, why_size, "the name of the data folder is too long");
        return false;
    }
    if (!folder_make(out)) {
        snprintf(why, why_size, "data folder %s: %s", out, strerror(errno));
        return false;
    }
    return true;
}
