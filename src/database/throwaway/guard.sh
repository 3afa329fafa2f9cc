# Given a throwaway server's directory, waits for its runner's end, then ends the server, and whatever
# else is in this process group, and removes the directory.
trap '' INT QUIT
read -r nothing

# Ends initdb and tar, and is a fast shutdown for a server.
kill -INT 0

# Nobody needs its data: an immediate shutdown writes nothing more, and the files go meanwhile. The number
# is negative while the lock is initdb's, whose servers would leave shared memory behind.
read -r process <"$1/data/postmaster.pid"
case $process in [1-9]*)
    kill -QUIT 0
    rm -rf "$1/data/base"
    ;;
esac

# The server removes its lock file at its very end. Those of its processes that do not end it kills after
# five seconds.
tries=0
while [ -e "$1/data/postmaster.pid" ] && [ $((tries += 1)) -le 1200 ]; do sleep 0.005; done

# It hits nobody if the first ones were enough.
kill -QUIT 0
tries=0
until rm -rf "$1" || [ $((tries += 1)) -gt 250 ]; do sleep 0.02; done
