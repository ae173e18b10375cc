"""PyTorch on the CPU, written as a user would write it there. Backward times torch.autograd.grad alone."""
import ctypes
import math
import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # its idle threads must not take our turn's processor time
from peer_protocol import serve, unavailable

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    unavailable(f"no PyTorch for this python3 ({error})")
from torch_uam import uam


def random(*dims, scale=1.0):
    return torch.randn(*dims) * scale


def attention(q, k, v, causal=False):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
    if causal:
        hidden = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
    return scores.softmax(-1) @ v


def selective_scan(u, delta, A, B, C, D):
    """The loop of mamba_ssm's selective_scan_ref, unbound over tokens."""
    delta = F.softplus(delta)
    h = u.new_zeros(u.shape[0], u.shape[2], A.shape[1])
    y = []
    for u_t, delta_t, b_t, c_t in zip(u.unbind(1), delta.unbind(1), B.unbind(1), C.unbind(1)):
        h = torch.exp(delta_t[:, :, None] * A) * h + (delta_t * u_t)[:, :, None] * b_t[:, None, :]
        y.append((h @ c_t[:, :, None]).squeeze(-1))
    return torch.stack(y, 1) + u * D


def rmsnorm(x, weight):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * weight


UNARY = {
    "gelu_erf": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softplus": F.softplus,
    "silu": F.silu,
}


def problem(s):
    """The function of a shape and its inputs; all floating inputs get gradients when the shape asks for backward."""
    op = s["op"]
    if op == "matmul":
        a = random(s["k"], s["m"]).t() if s.get("transposeA") else random(s["m"], s["k"])
        b = random(s["n"], s["k"]).t() if s.get("transposeB") else random(s["k"], s["n"])
        return torch.matmul, [a, b]
    if op == "linear":
        return F.linear, [random(s["rows"], s["inputs"]), random(s["outputs"], s["inputs"]), random(s["outputs"])]
    if op == "attention":
        shaped = lambda length: random(s["batch"], s["heads"], length, s["headDim"])
        return (lambda q, k, v: attention(q, k, v, s.get("causal", False))), [shaped(s["queries"]), shaped(s["keys"]), shaped(s["keys"])]
    if op == "selective_scan":
        batch, tokens, dim, state = s["batch"], s["tokens"], s["dim"], s["state"]
        inputs = [random(batch, tokens, dim), random(batch, tokens, dim), -1 - random(dim, state).abs()]
        return selective_scan, inputs + [random(batch, tokens, state), random(batch, tokens, state), random(dim)]
    if op in ("layernorm", "rmsnorm"):
        x, weight = random(s["rows"], s["features"]), random(s["features"])
        if op == "rmsnorm":
            return rmsnorm, [x, weight]
        return (lambda x, w, b: F.layer_norm(x, (s["features"],), w, b)), [x, weight, random(s["features"])]
    if op in ("softmax", "log_softmax"):
        return (lambda x: getattr(F, op)(x, -1)), [random(s["rows"], s["features"])]
    if op == "conv2d":
        groups, kernel, dilation = s.get("groups", 1), s["kernel"], s.get("dilation", 1)
        padding = s.get("padding", ((kernel - 1) * dilation) // 2)
        x = random(s["batch"], s["inputs"], s["height"], s["width"])
        weight = random(s["outputs"], s["inputs"] // groups, kernel, kernel)
        return (lambda x, w, b: F.conv2d(x, w, b, s.get("stride", 1), padding, dilation, groups)), [x, weight, random(s["outputs"])]
    if op == "causal_conv1d":
        x, weight = random(s["batch"], s["dim"], s["tokens"]), random(s["dim"], 1, s["width"])
        tokens = s["tokens"]
        return (lambda x, w, b: F.conv1d(x, w, b, padding=s["width"] - 1, groups=s["dim"])[..., :tokens]), [x, weight, random(s["dim"])]
    if op == "unary":
        return UNARY.get(s["function"], getattr(torch, s["function"], None)), [random(s["count"]).abs() + 1e-3]
    return None, None


def limit_blas(threads):
    """torch.set_num_threads does not reach an OpenBLAS that Debian's torch was linked with."""
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(threads)
    except (OSError, AttributeError):
        pass  # another BLAS: it follows torch


def prepare(shape, threads):
    torch.set_num_threads(threads)
    limit_blas(threads)
    if shape["op"] == "uam":
        return uam(shape, selective_scan)
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


torch.manual_seed(1)
serve(f"torch {torch.__version__}", prepare)
