# Sourced by start, test and build, from the top of the repository. Afterwards `bun` on PATH is exactly the version
# that package.json names, and the dependencies stand as bun.lock says.
#
# Bun comes from PATH if it has that version, else from node_modules, else npm brings it: a machine with nothing but
# Node.js and npm can build and run everything. Any other Bun is not used, because versions differ in the socket and
# compiler behaviour that rtchat leans on.

wanted=$(sed -n 's/.*"bun": "\([0-9][0-9.]*\)".*/\1/p' package.json | head -n 1)
local_bin=$PWD/node_modules/.bin

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

is_wanted() {
  [ "$("$1" --version 2>/dev/null)" = "$wanted" ]
}

if is_wanted bun; then
  bun install --frozen-lockfile --silent || fail "cannot install the dependencies named in bun.lock"
else
  if ! is_wanted "$local_bin/bun"; then
    command -v npm >/dev/null 2>&1 ||
      fail "needs Bun $wanted, or npm to fetch it; found neither: install one of https://bun.sh and https://nodejs.org"
    echo "Bun $wanted is not on PATH; fetching it with npm" >&2
    npm install --no-package-lock --no-audit --no-fund --loglevel=error >&2 ||
      fail "npm could not install the packages of package.json"
  fi
  PATH=$local_bin:$PATH
  export PATH
  bun install --frozen-lockfile --silent || fail "cannot install the dependencies named in bun.lock"
  is_wanted bun || fail "npm brought Bun $(bun --version 2>&1), but $wanted is needed"
fi
