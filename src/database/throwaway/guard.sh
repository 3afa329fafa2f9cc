# Given a throwaway server's directory, waits for its runner's end, then ends the server, and whatever
# else is in this process group, and removes the directory.
trap '' INT QUIT
read -r nothing

# A fast shutdown, for which PostgreSQL has five seconds.
kill -INT 0
tries=0
while [ -e "$1/data/postmaster.pid" ] && [ $((tries += 1)) -le 250 ]; do sleep 0.02; done

# An immediate one; it hits nobody if the first was enough.
kill -QUIT 0
tries=0
until rm -rf "$1" || [ $((tries += 1)) -gt 250 ]; do sleep 0.02; done
