/* Tidepool for host programs: the one header of the public C interface. C11 and C++17.
 * A generated pool's header includes it; docs/README.md says where to go from here. */
#ifndef TIDEPOOL_H
#define TIDEPOOL_H

/* The version; generated pools refuse to be compiled against another one. */
#define TIDEPOOL_VERSION_MAJOR 0
#define TIDEPOOL_VERSION_MINOR 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../coro/coro.h"
#include "base/status.h"
#include "blocking.h"
#include "clock.h"
#include "cpu.h"
#include "dump.h"
#include "fiber.h"
#include "fork.h"
#include "guard.h"
#include "handle.h"
#include "io/backend.h"
#include "io/case_fd.h"
#include "io/fd.h"
#include "io/file.h"
#include "io/io.h"
#include "io/names.h"
#include "io/net.h"
#include "io/process.h"
#include "io/signals.h"
#include "monitor/exporter.h"
#include "monitor/metrics.h"
#include "monitor/model.h"
#include "monitor/monitor.h"
#include "monitor/trace.h"
#include "multi.h"
#include "pool.h"
#include "runtime.h"
#include "scope.h"
#include "sleep.h"
#include "stock.h"
#include "sync/barrier.h"
#include "sync/broadcast.h"
#include "sync/chan.h"
#include "sync/cond.h"
#include "sync/mutex.h"
#include "sync/objects.h"
#include "sync/once.h"
#include "sync/oneshot.h"
#include "sync/rwlock.h"
#include "sync/select.h"
#include "sync/semaphore.h"
#include "sync/waitgroup.h"
#include "sync/watch.h"
#include "task.h"
#include "task_local.h"
#include "timer.h"

#endif
