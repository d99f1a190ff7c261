#!/bin/sh
# Starts workerd in place of this shell. Writes its process id to $GATEWAY_PID_FILE, and makes it end with the process that started it,
# even when that one is killed outright, so that it never lingers and holds the port.
if [ -n "$GATEWAY_PID_FILE" ]; then echo $$ >"$GATEWAY_PID_FILE"; fi
if setpriv --pdeathsig KILL true 2>/dev/null; then exec setpriv --pdeathsig KILL "$GATEWAY_WORKERD" "$@"; fi
# Elsewhere than on Linux: look once a second.
(parent=$PPID; while kill -0 "$parent" && kill -0 $$; do sleep 1; done; kill -9 $$) </dev/null >/dev/null 2>&1 3>&- &
exec "$GATEWAY_WORKERD" "$@"
