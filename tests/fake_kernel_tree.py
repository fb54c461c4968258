"""A kernel's tree whose `make` takes milliseconds: what it "compiles" says what a guest would."""

from __future__ import annotations

from pathlib import Path

from sockstates.virtual import recipe

KCONFIG = """\
config UML
	bool
	default y
	select ARCH_NO_PREEMPT

config HZ
	int
	default 100

config NR_CPUS
	int
"""
OFFSETS = """\
#else
#ifdef FP_XSTATE_MAGIC1
	DEFINE_LONGS(HOST_FP_SIZE, 2696);
#else
	DEFINE(HOST_FP_SIZE, sizeof(struct _fpstate) / sizeof(unsigned long));
#endif
"""
CLOCK = "\t\treturn time_travel_time / TIMER_MULTIPLIER;\n"
GUEST_SAYS = """\
echo sockstates-guest release 6.12.3
echo sockstates-guest clock time-travel
echo sockstates-guest slept 7200"""
MERGE = """\
#!/bin/sh
sed '/=n$/d' "$5" > .config
printf 'CONFIG_HZ=250\\nCONFIG_CC_VERSION_TEXT="cc of a test"\\n' >> .config
"""
MAKE = """\
#!/bin/sh
case "$*" in *config) exit 0;; esac
echo '  CC      init/main.o'
echo '  CC      init/main.o'
echo '  AR      init/built-in.a'
%s
"""
COMPILES = f"printf '#!/bin/sh\\n%s\\n' '{GUEST_SAYS}' > linux; chmod +x linux"
PROGRAMS = (
    *("gcc", "make", "flex", "bison", "bc", "ld", "perl", "xz"),
    *("apt-get", "apt-cache", "dpkg-deb"),
)


def plant_files(folder: Path, kconfig: str = KCONFIG, offsets: str = OFFSETS) -> Path:
    """The files that are changed."""
    texts = {
        "arch/um/Kconfig": kconfig,
        "arch/x86/um/user-offsets.c": offsets,
        "arch/um/kernel/time.c": CLOCK,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / recipe.NEW_FILES[0].file).parent.mkdir(parents=True)
    return folder


def plant_tree(folder: Path) -> Path:
    """A whole tree, Linux 6.12 by its Makefile."""
    plant_files(folder)
    (folder / "Makefile").write_text("# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\n")
    (folder / "arch/um/os-Linux").mkdir()
    (folder / "arch/um/os-Linux/start_up.c").write_text('__uml_setup("seccomp=", x,\n')
    write_program(folder / "scripts/kconfig/merge_config.sh", MERGE)
    return folder


def plant_programs(folder: Path, compiles: str = COMPILES) -> Path:
    """A folder for PATH with everything that a build needs; ``make`` does ``compiles``."""
    for name in PROGRAMS:
        write_program(folder / name, "#!/bin/sh\necho /somewhere/libc.a\n")
    write_program(folder / "make", MAKE % compiles)
    return folder


def write_program(path: Path, text: str) -> None:
    """A script that may be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
