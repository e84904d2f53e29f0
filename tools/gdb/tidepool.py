"""Coroutines in gdb: in a running program, and in a core file.

    (gdb) source tools/gdb/tidepool.py
    (gdb) tidepool coroutines              all there are: address, name, state, stack
    (gdb) tidepool backtrace ADDRESS       the frames of one of them
    (gdb) tidepool backtrace all           the frames of all that are suspended

A coroutine is found through the slabs of stacks (coro/stack_slab.c): the control block of each live stack lies at its high
end. One that is suspended has saved its registers on its own stack (coro/switch_*.S). To show its frames without
touching the registers of any thread, which a core file would not allow, an unwinder claims the newest frame of the selected
thread and names the coroutine's registers as its caller's. So frame 0 is the thread's own, and the coroutine's frames
follow. The program needs debug information for the library (-g).
"""

import gdb
import gdb.unwinder

# Where `cross` of the switch finds the registers, from the address it goes on at; sp is where it is afterwards.
LAYOUTS = {
    "i386:x86-64": {
        "saved": {"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32, "rbp": 40, "rip": 56},
        "sp": ("rsp", 64),
    },
}

STATES = ["ready", "suspended", "running", "normal", "done"]
CHECK = 0x9E3779B97F4A7C15
LIVE = 0x5


class Coroutine:
    """One control block, read from memory."""

    def __init__(self, block, stack):
        self.address = int(block.address)
        self.state = int(block["state"])
        self.at = int(block["at"])
        self.name = block["name"].string() if int(block["name"]) != 0 else ""
        self.entry = block["entry"]
        self.low = int(stack["low"])
        self.top = int(stack["top"])

    def state_name(self):
        return STATES[self.state] if self.state < len(STATES) else "?"


def integer(value):
    """A number, of an atomic field too."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


def symbol(name):
    found = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    return found.value() if found else None


def live_stacks():
    """The headers of all stacks that are in use."""
    known = symbol("known")
    if known is None:
        raise gdb.GdbError("this program has no coroutines of Tidepool, or no debug information for the library")
    header = gdb.lookup_type("struct tp_stack")
    slab = gdb.Value(integer(known)).cast(gdb.lookup_type("struct tp_slab").pointer())
    while int(slab) != 0:
        base = integer(slab["base"])
        if base != 0:
            first = base + int(slab["front_bytes"]) - header.sizeof
            for i in range(int(slab["n_made"])):
                address = first + int(slab["stride"]) * (i + 1)
                stack = gdb.Value(address).cast(header.pointer()).dereference()
                if int(stack["check"]) == ((address ^ CHECK) + LIVE) & (2**64 - 1):
                    yield stack
        slab = slab["next_known"]


def coroutines():
    """All coroutines, in the order of their stacks."""
    block_type = gdb.lookup_type("struct tp_co")
    mark = symbol("namer_mark")
    bytes_of_block = (block_type.sizeof + 63) & ~63
    for stack in live_stacks():
        block = gdb.Value(int(stack["top"]) - bytes_of_block).cast(block_type.pointer()).dereference()
        if int(block["mark"]) == int(mark.address):
            yield Coroutine(block, stack)


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Unwinder(gdb.unwinder.Unwinder):
    """Makes a coroutine's saved registers those of the caller of the newest frame, while `target` is set."""

    def __init__(self):
        super().__init__("tidepool")
        self.target = None

    def __call__(self, pending):
        if self.target is None or pending.level() != 0:
            return None
        layout = LAYOUTS[pending.architecture().name()]
        sp_name, sp_distance = layout["sp"]
        word = gdb.lookup_type("unsigned long")
        # The frame is placed below the coroutine's, since gdb ends a backtrace where it goes down.
        place = gdb.Value(self.target).cast(word)
        info = pending.create_unwind_info(FrameId(place, pending.read_register("pc")))
        for register, distance in layout["saved"].items():
            value = gdb.Value(self.target + distance).cast(word.pointer()).dereference()
            info.add_saved_register(register, value.cast(word))
        info.add_saved_register(sp_name, gdb.Value(self.target + sp_distance).cast(word))
        return info


UNWINDER = Unwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def print_line(coroutine):
    print(
        "%#x  %-10s %8d bytes  %s  %s"
        % (coroutine.address, coroutine.state_name(), coroutine.top - coroutine.low, coroutine.entry, coroutine.name)
    )


def print_frames(coroutine):
    """The frames of one, without the thread's own that comes first."""
    if coroutine.state_name() != "suspended":
        print("  (%s: no frames of its own to show here)" % coroutine.state_name())
        return
    architecture = gdb.newest_frame().architecture().name()
    if architecture not in LAYOUTS:
        raise gdb.GdbError("the switch of %s is not known to this script" % architecture)
    try:
        UNWINDER.target = coroutine.at
        gdb.invalidate_cached_frames()
        for line in gdb.execute("backtrace", to_string=True).splitlines():
            if not line.startswith("#0 "):
                print(line)
    finally:
        UNWINDER.target = None
        gdb.invalidate_cached_frames()


class Tidepool(gdb.Command):
    """Coroutines of Tidepool."""

    def __init__(self):
        super().__init__("tidepool", gdb.COMMAND_STACK, prefix=True)


class List(gdb.Command):
    """tidepool coroutines: address, state, stack, entry and name of all coroutines."""

    def __init__(self):
        super().__init__("tidepool coroutines", gdb.COMMAND_STACK)

    def invoke(self, arguments, from_tty):
        n = 0
        for coroutine in coroutines():
            print_line(coroutine)
            n += 1
        print("%d coroutines" % n)


class Backtrace(gdb.Command):
    """tidepool backtrace ADDRESS | all: the frames of one suspended coroutine, or of all."""

    def __init__(self):
        super().__init__("tidepool backtrace", gdb.COMMAND_STACK)

    def invoke(self, arguments, from_tty):
        if not arguments.strip():
            raise gdb.GdbError("usage: tidepool backtrace ADDRESS | all")
        wanted = None if arguments.strip() == "all" else int(gdb.parse_and_eval(arguments))
        n = 0
        for coroutine in coroutines():
            if wanted is None or coroutine.address == wanted:
                print_line(coroutine)
                print_frames(coroutine)
                n += 1
        if n == 0 and wanted is not None:
            raise gdb.GdbError("there is no coroutine at %#x" % wanted)


Tidepool()
List()
Backtrace()
