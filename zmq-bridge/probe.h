/* SPDX-License-Identifier: MIT */
/*
 * probe: asks a server who it is, as prosa-probe does, but through a bridge: does all of the way work?
 * It refuses to be a relay: it is a client of one.
 */
#ifndef ZMQ_BRIDGE_PROBE_H
#define ZMQ_BRIDGE_PROBE_H

#define PROBE_SECONDS 5 /* all of it may take so long */

/* `bridge` is HOST:PORT of a ROUTER. Prints one sentence; the exit code is prosa-probe's. */
int probe_run(const char *bridge);

#endif
