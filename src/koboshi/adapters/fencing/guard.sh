# Runs one program, and ends its whole process group when Koboshi ends (however it ends) or when
# the time is up. Koboshi starts this as the leader of a session of its own.
#
# sh guard.sh LIFELINE LIMIT_S PROGRAM [ARGUMENT...]
#
# LIFELINE is the reading end of a pipe that only Koboshi holds open: it ends with Koboshi, even
# when that is killed. A signal at the parent's death (PR_SET_PDEATHSIG) would reach this process
# alone, not what the program has started.
lifeline=$1
limit_s=$2
shift 2
exec 4<&0 # what runs in the background would read nothing
"$@" <&4 4<&- &
program=$!
(
    timeout --foreground "$limit_s" cat <"/proc/self/fd/$lifeline"
    kill -KILL 0
) >/dev/null 2>&1 4<&- &
watcher=$!
exec <&- 4<&- >&- 2>&-
wait "$program"
code=$?
kill -KILL "$watcher"
exit "$code"
