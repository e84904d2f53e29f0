/* The kit: what a generated pool is built from. Hosts include tidepool.h instead. */
#ifndef TIDEPOOL_KIT_H
#define TIDEPOOL_KIT_H

#include "base/align.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "fibers.h"
#include "forks.h"
#include "histogram_live.h"
#include "idle.h"
#include "keeper.h"
#include "life.h"
#include "monitor/roll.h"
#include "park.h"
#include "run.h"
#include "tidepool.h"
#include "track.h"
#include "worker.h"

#endif
