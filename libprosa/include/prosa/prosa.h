/* SPDX-License-Identifier: MIT */
/* The whole library. Each header stands alone; this one names them in the order in which they build
 * on each other. */
#ifndef PROSA_PROSA_H
#define PROSA_PROSA_H

#include <prosa/bytes.h>
#include <prosa/registry.h>
#include <prosa/status.h>
#include <prosa/text.h>

#include <prosa/frame.h>
#include <prosa/message.h>

#include <prosa/json.h>
#include <prosa/sign.h>

#include <prosa/client_session.h>
#include <prosa/server_session.h>

#endif
