"""The model of UAM (Amamba) as a user would write it in PyTorch: modules, einsum, a loop over tokens for the scan.

The sines and cosines of places, the orders of the scan and the lists of neighbours are made beforehand and cost nothing here.
Stochastic depth is left out.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

SIZES = {"S": dict(width=64, depth=4, heads=4, ffn=192), "B": dict(width=128, depth=6, heads=8, ffn=384)}
STATE, TAPS, NEIGHBOURS, DROPOUT = 16, 4, 64, 0.1


def matrix(*dims):
    return nn.Parameter(torch.randn(*dims) / dims[0] ** 0.5)


class Rms(nn.Module):
    def __init__(self, width, start=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weight


class Direction(nn.Module):
    """Filter, projections and scan of one direction."""

    def __init__(self, inner, rank, scan):
        super().__init__()
        self.conv = nn.Conv1d(inner, inner, TAPS, padding=TAPS - 1, groups=inner)
        self.x_proj, self.dt_proj = matrix(inner, rank + 2 * STATE), matrix(rank, inner)
        self.dt_bias, self.D = nn.Parameter(torch.full((inner,), -4.0)), nn.Parameter(torch.ones(inner))
        self.A_log = nn.Parameter(torch.log(torch.arange(1, STATE + 1.0)).repeat(inner, 1))
        self.rank, self.scan = rank, scan

    def forward(self, x):
        u = F.silu(self.conv(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        delta, b, c = (u @ self.x_proj).split([self.rank, STATE, STATE], -1)
        return self.scan(u, delta @ self.dt_proj + self.dt_bias, -torch.exp(self.A_log), b, c, self.D)


class Layer(nn.Module):
    def __init__(self, width, depth, heads, ffn, scan, cells):
        super().__init__()
        self.heads, inner, branch = heads, 2 * width, (2 * depth) ** -0.5
        self.norm1, self.norm2, self.norm3 = Rms(width), Rms(width), Rms(width)
        self.norm_m, self.norm_a = Rms(width, branch), Rms(width, branch)
        self.in_proj, self.out_proj = matrix(width, 2 * inner), matrix(inner, width)
        self.forth, self.back = (Direction(inner, -(-width // 16), scan) for _ in range(2))
        self.q, self.k, self.v, self.o = (matrix(width, width) for _ in range(4))
        self.beta = nn.Parameter(torch.zeros(heads)) if cells else None
        self.gate, self.gate_bias = nn.Parameter(torch.zeros(3 * width, heads)), nn.Parameter(torch.zeros(heads))
        self.w1, self.w3, self.w2 = matrix(width, ffn), matrix(width, ffn), matrix(ffn, width)

    def mamba(self, u):
        x, z = (u @ self.in_proj).chunk(2, -1)
        y = self.forth(x) + self.back(x.flip(1)).flip(1)
        return (0.5 * y * F.silu(z)) @ self.out_proj

    def attend(self, u, c, near):
        batch, length, width = u.shape
        q, k, v = (x.view(batch, length, self.heads, -1) for x in (u @ self.q, c @ self.k, c @ self.v))
        if near is None:
            scores = torch.einsum("blhd,bmhd->bhlm", q, k) * q.shape[-1] ** -0.5
            seen = torch.einsum("bhlm,bmhd->blhd", scores.softmax(-1), v)
        else:
            index, distance = near
            flat = lambda x: x.reshape(batch * length, self.heads, -1)
            scores = torch.einsum("nhd,nwhd->nhw", flat(q), flat(k)[index]) * q.shape[-1] ** -0.5
            scores = scores - F.softplus(self.beta)[None, :, None] * distance[:, None, :]
            seen = torch.einsum("nhw,nwhd->nhd", scores.softmax(-1), flat(v)[index])
        return seen.reshape(batch, length, width) @ self.o

    def forward(self, x, near, order):
        u = self.norm1(x)
        m = self.mamba(u) if order is None else self.mamba(u[:, order[0]])[:, order[1]]
        m_hat, a_hat = self.norm_m(m), self.norm_a(self.attend(u, self.norm2(u + m), near))
        g = torch.sigmoid(torch.cat([u, m_hat, a_hat], -1) @ self.gate + self.gate_bias)
        g = g.repeat_interleave(x.shape[-1] // self.heads, -1)
        y = x + F.dropout(g * a_hat + (1 - g) * m_hat, DROPOUT, self.training)
        v = self.norm3(y)
        return y + F.dropout((F.silu(v @ self.w1) * (v @ self.w3)) @ self.w2, DROPOUT, self.training)


class Model(nn.Module):
    def __init__(self, size, features, cells, classes, scan):
        super().__init__()
        self.config = SIZES[size]
        width, depth = self.config["width"], self.config["depth"]
        self.layers = nn.ModuleList(Layer(**self.config, scan=scan, cells=cells) for _ in range(depth))
        if cells:
            self.first, self.second = nn.Linear(2 * features, width), nn.Linear(width, width)
            self.place = nn.Linear(64, width)
        else:
            self.scale, self.shift = matrix(features, width), matrix(features, width)
            self.cls = nn.Parameter(torch.randn(width))
        self.cells, self.norm, self.head_norm = cells, Rms(width), Rms(width)
        self.dense, self.logits = nn.Linear(width, width), nn.Linear(width, classes)

    def forward(self, x, code=None, near=None, order=None):
        if self.cells:
            tokens = self.second(F.gelu(self.first(x))) + self.place(code)
        else:
            tokens = torch.cat([x[..., None] * self.scale + self.shift, self.cls.expand(len(x), 1, -1)], 1)
        for i, layer in enumerate(self.layers):
            tokens = layer(tokens, near, order if i % 2 == 1 else None)
        states = self.norm(tokens if self.cells else tokens[:, -1])
        hidden = F.gelu(self.dense(self.head_norm(states)))
        return self.logits(F.dropout(hidden, DROPOUT, self.training)).flatten(0, -2)


def uam(shape, scan):
    """A function that predicts, or takes one step of training."""
    cells, tiles, features = shape["cells"], shape["tiles"], shape["features"]
    of_cells = shape["tokens"] == "cell"
    model = Model(shape["size"], features, of_cells, 2, scan)
    if of_cells:
        length = cells // tiles
        order = torch.randperm(length)
        # Whoever is asked for lies near, as along a Hilbert curve.
        index = (torch.arange(cells)[:, None] + torch.randint(-100, 100, (cells, NEIGHBOURS))).clamp(0, cells - 1)
        inputs = [torch.randn(tiles, length, 2 * features), torch.randn(tiles, length, 64), (index, torch.rand(cells, NEIGHBOURS))]
        inputs.append((order, order.argsort()))
    else:
        inputs = [torch.randn(cells, features)]
    if shape["mode"] == "predict":
        model.eval()

        def predict():
            with torch.no_grad():
                model(*inputs)

        return predict
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.05)
    target = torch.arange(cells) % 2

    def step():
        optimiser.zero_grad()
        F.cross_entropy(model(*inputs), target).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return step
