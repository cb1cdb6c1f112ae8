"""The CPython 2.7 environment that Autobahn|Testsuite needs, made once and kept in the user's cache folder."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
TESTSUITE = "autobahntestsuite==25.10.1"
# The last virtualenv that can make a 2.7 environment.
VIRTUALENV = "virtualenv==20.21.1"
INCREMENTAL = "incremental==16.10.1"

# Debian 11 is the last release with Python 2.7. Its packages are unpacked in the cache folder, never installed.
DEBIAN = "bullseye"
# Old releases move from the first to the second.
MIRRORS = ["http://deb.debian.org/debian", "http://archive.debian.org/debian"]
DEBIAN_PACKAGES = [
    "python2.7-minimal", "libpython2.7-minimal", "libpython2.7-stdlib", "libpython2.7-dev", "libpython2.7",
    "libssl1.1", "libffi7",
]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

NO_PYTHON = """autobahn: no CPython 2.7 found, and Autobahn|Testsuite runs on nothing newer. Any one of these helps:
  - `pyenv install 2.7.18`
  - PYTHON27=/path/to/python2.7 in the environment
  - a Debian machine, on which this script fetches Debian 11's packages by itself"""


class Unavailable(Exception):
    """The environment could not be made; the message says why and what to do."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clank" / "autobahn"


def ensure():
    """Returns (interpreter, environment variables), making what is missing. Raises Unavailable."""
    root = cache()
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once would build into one folder
        return _ensure_locked(root)


def _ensure_locked(root):
    python = root / "env" / "bin" / "python"
    # The environment is only as good as what it was made from: a changed list makes it anew.
    recipe = "\n".join([TESTSUITE, INCREMENTAL, REQUIREMENTS.read_text()])
    marker = root / "env" / "recipe"
    current = marker.exists() and marker.read_text() == recipe
    if current and _runs(python, "import autobahntestsuite, wsaccel", _variables(root)):
        return python, _variables(root)

    python27 = _find_python27(root) or _fetch_python27(root)
    print(f"autobahn: making a Python 2.7 environment in {root} from {python27}", flush=True)
    shutil.rmtree(root / "env", ignore_errors=True)
    tool = root / "virtualenv"
    pip = [root / "env" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([sys.executable, "-m", "venv", "--clear", tool])
    _run([tool / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", VIRTUALENV])
    _run([tool / "bin" / "virtualenv", "--quiet", "--python", python27, root / "env"], _variables(root))
    _run([*pip, INCREMENTAL], _variables(root))
    # Twisted's build must see `incremental`; cryptography's would want OpenSSL headers and so is taken ready built.
    _run([*pip, "--no-build-isolation", "--only-binary", "cryptography,cffi", "--requirement", REQUIREMENTS],
         _variables(root))
    _run([*pip, "--no-build-isolation", "--no-deps", TESTSUITE], _variables(root))
    marker.write_text(recipe)
    return python, _variables(root)


def _variables(root):
    """The unpacked interpreter finds its shared libraries and headers by environment variables."""
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    unpacked = root / "debian" / "usr"
    if unpacked.exists():
        libraries = [str(path) for path in sorted((unpacked / "lib").glob("*-linux-gnu"))]
        headers = [unpacked / "include" / "python2.7", unpacked / "include"]
        variables["LD_LIBRARY_PATH"] = ":".join(libraries + os.environ.get("LD_LIBRARY_PATH", "").split(":")).strip(":")
        variables["CPATH"] = ":".join(map(str, headers))
    return variables


def _find_python27(root):
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        os.environ.get("PYTHON27"),
        shutil.which("python2.7"),
        *sorted(pyenv.glob("versions/2.7*/bin/python2.7")),
        root / "debian" / "usr" / "bin" / "python2.7",
    ]
    # pyenv's shim on PATH stands for a version that may not be chosen, so each is tried, not only looked for.
    check = "import sys, ssl, zlib, ctypes; assert sys.version_info[:2] == (2, 7)"
    return next((path for path in candidates if path and _runs(path, check, _variables(root))), None)


def _fetch_python27(root):
    if not shutil.which("apt-get") or not Path(KEYRING).exists():
        raise Unavailable(NO_PYTHON)
    print(f"autobahn: unpacking Python 2.7 of Debian {DEBIAN} into {root} (nothing is installed)", flush=True)
    for mirror in MIRRORS:
        try:
            _unpack(mirror, root)
            break
        except Unavailable as error:
            print(error, flush=True)
    else:
        raise Unavailable(NO_PYTHON)
    python = _find_python27(root)
    if not python:
        raise Unavailable("autobahn: the unpacked Python 2.7 does not run\n" + NO_PYTHON)
    return python


def _unpack(mirror, root):
    apt = root / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("lists/partial", "archives/partial", "parts", "debs"):
        (apt / folder).mkdir(parents=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {DEBIAN} main\n")
    # A configuration of its own: the machine's package lists, sources and installed packages stay as they are.
    (apt / "apt.conf").write_text("".join(f'{option} "{value}";\n' for option, value in (
        ("Dir::Etc::SourceList", apt / "sources.list"), ("Dir::Etc::SourceParts", apt / "parts"),
        ("Dir::State::Lists", apt / "lists"), ("Dir::Cache", apt), ("Acquire::Check-Valid-Until", "false"),
        ("APT::Sandbox::User", "root"),
    )))
    configured = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    _run(["apt-get", "--quiet", "--quiet", "update"], configured)
    _run(["apt-get", "--quiet", "--quiet", "download", *DEBIAN_PACKAGES], configured, cwd=apt / "debs")
    for package in sorted((apt / "debs").glob("*.deb")):
        _run(["dpkg-deb", "--extract", package, root / "debian"])
    shutil.rmtree(apt)


def _runs(python, code, variables=None):
    try:
        return subprocess.run([python, "-c", code], env=variables, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command, variables=None, cwd=None):
    command = [str(part) for part in command]
    print("  $", " ".join(command), flush=True)
    if subprocess.run(command, env=variables, cwd=cwd, stdin=subprocess.DEVNULL).returncode != 0:
        raise Unavailable(f"autobahn: `{' '.join(command)}` failed")
