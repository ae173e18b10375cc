"""PyTorch on a card, as its users would have it: fused attention, the scan of mamba_ssm where it is installed (else a loop over tokens around
a compiled step), cuBLAS, and the whole model of torch_uam.py in training. Calls are timed in batches with the card waited for."""
import json
import sys
import time

from peer_protocol import unavailable

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    unavailable(f"no PyTorch for this python3 ({error})")
if not torch.cuda.is_available():
    unavailable("this PyTorch sees no card")
from torch_uam import uam

try:
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
except ImportError:
    selective_scan_fn = None

LONGEST_LOOP = 2048  # tokens; a loop over more takes too much of the run's time


def set_precision(name):
    """float32 is exact; tf32 lets products round. bf16 is asked for by the case."""
    torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    torch.backends.cudnn.allow_tf32 = name == "tf32"


def random(*dims, dtype=torch.float32):
    return torch.randn(*dims, device="cuda", dtype=dtype)


def type_of(shape):
    return torch.bfloat16 if shape.get("precision") == "bf16" else torch.float32


def scan_step(h, u, delta, A, b, c):
    h = torch.exp(delta[:, :, None] * A) * h + (delta * u)[:, :, None] * b[:, None, :]
    return h, (h * c[:, None, :]).sum(-1)


try:
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True  # without a compiler of its own the step runs as it is
    compiled_step = torch.compile(scan_step)
except (ImportError, AttributeError):  # PyTorch before 2.0
    compiled_step = scan_step


def loop_scan(u, delta, A, B, C, D, z=None, bias=None):
    """[batch, tokens, dim], as torch_uam calls it."""
    delta = F.softplus(delta if bias is None else delta + bias)
    h = u.new_zeros(u.shape[0], u.shape[2], A.shape[1])
    y = []
    for u_t, delta_t, b_t, c_t in zip(u.unbind(1), delta.unbind(1), B.unbind(1), C.unbind(1)):
        h, y_t = compiled_step(h, u_t, delta_t, A, b_t, c_t)
        y.append(y_t)
    y = torch.stack(y, 1) + u * D
    return y if z is None else y * F.silu(z)


def fused_scan(u, delta, A, B, C, D, z=None, bias=None):
    """mamba_ssm's kernel has channels before tokens."""
    turned = lambda x: None if x is None else x.transpose(1, 2).contiguous()
    y = selective_scan_fn(turned(u), turned(delta), A, turned(B), turned(C), D, turned(z), bias, delta_softplus=True)
    return y.transpose(1, 2)


def scan_problem(s):
    batch, tokens, dim, state = s["batch"], s["tokens"], s["dim"], s["state"]
    A, D, bias = -1 - random(dim, state).abs(), random(dim), random(dim)
    if selective_scan_fn:  # in its own layout: no transposes are timed
        large = [random(batch, dim, tokens) for _ in range(3)]
        B, C = random(batch, state, tokens), random(batch, state, tokens)
        function = lambda u, delta, z, A, B, C, D, bias: selective_scan_fn(u, delta, A, B, C, D, z, bias, delta_softplus=True)
        return function, [*large, A, B, C, D, bias]
    if tokens > LONGEST_LOOP:
        return None, None
    large = [random(batch, tokens, dim) for _ in range(3)]
    B, C = random(batch, tokens, state), random(batch, tokens, state)
    return (lambda u, delta, z, A, B, C, D, bias: loop_scan(u, delta, A, B, C, D, z, bias)), [*large, A, B, C, D, bias]


def problem(s):
    op, dtype = s["op"], type_of(s)
    if op == "matmul":
        return torch.matmul, [random(s["m"], s["k"], dtype=dtype), random(s["k"], s["n"], dtype=dtype)]
    if op == "attention":
        shaped = lambda length: random(s["batch"], s["heads"], length, s["headDim"], dtype=dtype)
        return F.scaled_dot_product_attention, [shaped(s["queries"]), shaped(s["keys"]), shaped(s["keys"])]
    if op == "selective_scan":
        return scan_problem(s)
    return None, None


def training(shape):
    """One step of the model on the card; bf16 by autocast, as PyTorch's users have it."""
    length = shape["cells"] // shape["tiles"] if shape["tokens"] == "cell" else shape["features"] + 1
    if not selective_scan_fn and length > LONGEST_LOOP:
        return None
    torch.set_default_device("cuda")
    try:
        step = uam(shape, fused_scan if selective_scan_fn else loop_scan)
    finally:
        torch.set_default_device("cpu")
    if shape.get("precision") != "bf16":
        return step

    def rounded():
        with torch.autocast("cuda", dtype=torch.bfloat16):
            step()

    return rounded


def prepare(shape):
    set_precision(shape.get("precision", "float32"))
    if shape["op"] == "uam":
        return training(shape)
    function, inputs = problem(shape)
    if function is None:
        return None
    if shape.get("direction") != "backward":

        def forward():
            with torch.no_grad():
                function(*inputs)

        return forward
    inputs = [x.detach().requires_grad_() for x in inputs]
    y = function(*inputs)
    dy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def time_batches(run, milliseconds):
    """Seconds of one call, from at least five batches of some milliseconds each."""

    def batch(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        torch.cuda.synchronize()
        return time.perf_counter() - begin

    batch(1)
    once = batch(1)
    calls = max(1, min(1000, round(4e-3 / once)))
    batch(calls)
    seconds, start = [], time.perf_counter()
    while len(seconds) < 5 or ((time.perf_counter() - start) * 1e3 < milliseconds and len(seconds) < 100):
        seconds.append(batch(calls) / calls)
        if once > 1 and len(seconds) >= 2:
            break  # a loop that takes seconds is asked twice
    return seconds


def main():
    torch.manual_seed(1)
    fused = "with mamba_ssm" if selective_scan_fn else "without mamba_ssm"
    print(json.dumps({"peer": f"torch {torch.__version__} on {torch.cuda.get_device_name()}, {fused}"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        run = None
        try:
            run = prepare(request["shape"])
            answer = {"seconds": time_batches(run, request["milliseconds"])} if run else {"unknown": True}
        except Exception as error:  # told to the benchmark, which prints it
            answer = {"error": f"{type(error).__name__}: {error}"[:400]}
        run = None
        torch.cuda.empty_cache()  # ours needs the room
        print(json.dumps(answer), flush=True)


main()
