/* SPDX-License-Identifier: MIT */
/*
 * descriptors: as many as this process may have, and how connections share them. A newcomer for whom there is
 * none could not even be told so: that is why clients may not have them all [LIM-02] [AUTH-07].
 * It refuses to guess what descriptors cost the system.
 */
#ifndef REF_SERVER_DESCRIPTORS_H
#define REF_SERVER_DESCRIPTORS_H

#include "settings.h"

/* Raises the soft limit to the hard one, and lowers max_clients and max_strangers to what it allows. */
void descriptors_share(struct settings *settings);

#endif
