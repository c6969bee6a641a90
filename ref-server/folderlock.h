/* SPDX-License-Identifier: MIT */
/*
 * folderlock: the file `lock` in a data folder. While a server runs it holds it locked, so that no second
 * one writes there [RES-14]; its two lines say who holds it, and how many entries were ever committed.
 * It refuses to break a lock: whoever holds one lives, for the system lets go of those of the dead.
 */
#ifndef REF_SERVER_FOLDERLOCK_H
#define REF_SERVER_FOLDERLOCK_H

#include <prosa/bytes.h>

/* `mark` is what the last holder said of the log: 0 when there was none. It is not forced to the disk, so
 * it can be behind the log, after a loss of power, and never ahead of one that is whole. */
struct folderlock {
    int fd;
    uint64_t mark;
};

/* False: `why` has a sentence for people. */
PROSA_NODISCARD bool folderlock_take(struct folderlock *lock, const char *folder, char *why, size_t why_size);
void folderlock_mark(struct folderlock *lock, uint64_t mark);
void folderlock_release(struct folderlock *lock);

#endif
