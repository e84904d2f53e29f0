---@meta tidepool
-- Annotations for editors (LuaCATS). The manual is docs/lua.md.

---@class tidepool
local tide = {}

---Run a function as a task, and every task spawned meanwhile; returns its results when all have finished.
---@param fn function
---@param ... any its arguments
---@return any ...
function tide.run(fn, ...) end

---A new task of the present run. It starts when the others let it.
---@param fn function
---@param ... any its arguments
---@return tidepool.task
function tide.spawn(fn, ...) end

---Let the other tasks run first.
function tide.yield() end

---Run a function whose waits cancelling does not cut short: for cleaning up.
---@param fn function
---@param ... any its arguments
---@return any ...
function tide.shield(fn, ...) end

---Leaving the scope of a `local guard <close>` cancels the task and waits for its end.
---@param task tidepool.task
---@return tidepool.guard
function tide.guard(task) end

---Seconds on a clock that never goes back.
---@return number
function tide.now() end

---@class tidepool.settings
---@field workers? integer threads, 1 to 4096; default: the cores this process may use
---@field capacity? integer calls accepted and not finished; default 1024
---@field stealing? boolean default true
---@field overload? "block"|"reject" default "block"

---Open a pool of worker states.
---@param settings? tidepool.settings
---@return tidepool.pool
function tide.pool(settings) end

---@alias tidepool.status "pending"|"running"|"suspended"|"done"|"failed"|"cancelled"

---@class tidepool.task
---@field id integer
local task = {}

---Wait for the end: true and the results, or false and the error (and the reason of a cancelling).
---@param seconds? number
---@return boolean ok
---@return any ...
function task:join(seconds) end

---Wait for the end: the results, or the error raised.
---@param seconds? number
---@return any ...
function task:await(seconds) end

---Ask it to end. False if it had ended already.
---@param why? any
---@return boolean
function task:cancel(why) end

---@return tidepool.status
function task:status() end

---Where a failed task raised its error.
---@return string?
function task:traceback() end

---@class tidepool.guard
local guard = {}

---Disarm the guard. The task, or false and "stale".
---@return tidepool.task|false
---@return "stale"?
function guard:release() end

---@class tidepool.handle
---@field id integer
local handle = {}

---As task:join; a string error carries the worker's traceback.
---@param seconds? number
---@return boolean ok
---@return any ...
function handle:join(seconds) end

---@param seconds? number
---@return any ...
function handle:await(seconds) end

---Keep the call from starting. False if it has started.
---@param why? any
---@return boolean
function handle:cancel(why) end

---@return tidepool.status
function handle:status() end

---@class tidepool.stats
---@field submitted integer
---@field completed integer
---@field failed integer
---@field rejected integer
---@field steal_attempts integer
---@field steals integer
---@field stolen integer
---@field parks integer
---@field capacity integer
---@field pending integer
---@field running integer
---@field waiting integer
---@field parked integer
---@field workers integer

---@class tidepool.pool
local pool = {}

---Run a function written in Lua on a worker. A handle, or nil and "full" or "closed".
---@param fn function
---@param ... any its arguments
---@return tidepool.handle?
---@return "full"|"closed"|nil
function pool:spawn(fn, ...) end

---Wait until no call is left.
---@param seconds? number
---@return boolean
---@return "timeout"?
function pool:join_all(seconds) end

---@return tidepool.stats
function pool:stats() end

---Refuse new calls, finish the accepted ones, end the workers.
---@param seconds? number
---@return boolean
---@return "timeout"?
function pool:close(seconds) end

return tide
