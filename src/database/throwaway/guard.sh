# Given a throwaway server's directory, waits for its runner's end, then ends the server, and whatever
# else is in this process group, and removes the directory.
trap '' INT QUIT
read -r nothing

# An immediate shutdown, which writes nothing more and still frees shared memory. The first signal is for
# programs that would leave a core file at the second.
kill -INT 0
kill -QUIT 0

# Nobody needs the data, so it goes while the server does. The server removes its lock file at its very
# end; those of its processes that do not end it kills after five seconds.
rm -rf "$1/data/base" "$1/data/pg_wal"
tries=0
while [ -e "$1/data/postmaster.pid" ] && [ $((tries += 1)) -le 1200 ]; do sleep 0.005; done

tries=0
until rm -rf "$1" || [ $((tries += 1)) -gt 250 ]; do sleep 0.02; done
