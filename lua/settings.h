/* The settings table of tide.pool. */
#ifndef TIDE_SETTINGS_H
#define TIDE_SETTINGS_H

#include "tide.h"

struct tide_settings {
    uint32_t workers;  /* 0: as many as cores */
    uint64_t capacity; /* 0: the default of lua/workers.pool */
    bool stealing, reject;
};

/* tide_check_settings: read the table at `arg`; absent or nil means all defaults. Raises an error
 * that names the setting, and for an unknown one the setting probably meant.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
void tide_check_settings(lua_State *L, int arg, struct tide_settings *out);

#endif
