/* SPDX-License-Identifier: MIT */
/* sizes: how large what a person says can be (registry, fields text and nick). */
#ifndef REF_SERVER_SIZES_H
#define REF_SERVER_SIZES_H

/* The longest text of a message, in octets. */
#define TEXT_SIZE 4096u

/* The longest nick with a final zero octet. */
#define NICK_SIZE 33u

#endif
