"""The peer's side of the protocol, in Python; serve.mjs tells its lines."""
import json
import sys
import time

SHORTEST_SAMPLE = 2e-4  # seconds; quicker calls are timed several at once


def unavailable(reason):
    print(json.dumps({"unavailable": reason}), flush=True)
    sys.exit(0)


def time_calls(run, milliseconds, minimum):
    start = time.perf_counter()
    run()
    calls = max(1, round(SHORTEST_SAMPLE / (time.perf_counter() - start)))
    seconds = []
    while len(seconds) < minimum or (time.perf_counter() - start) * 1e3 < milliseconds:
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        seconds.append((time.perf_counter() - begin) / calls)
    return seconds


def serve(name, prepare):
    """Answers requests until standard input ends. prepare(shape, threads) gives a function to time, or None."""
    print(json.dumps({"peer": name}), flush=True)
    key = run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            wanted = json.dumps([request["shape"], request["threads"]])
            if wanted != key:
                run = None  # frees the former shape's arrays first
                run, key = prepare(request["shape"], request["threads"]), wanted
                if run:
                    run()
            answer = {"seconds": time_calls(run, request["milliseconds"], request["minimum"])} if run else {"unknown": True}
        except Exception as error:  # told to the harness, which prints it
            key, answer = None, {"error": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps(answer), flush=True)
