"""What the proof of the image does, with tools that only write down how they were called."""

from __future__ import annotations

import configparser
import os
import tarfile
import tomllib
from pathlib import Path

import pytest

from scripts import image_proof
from scripts.image_build import CERTIFICATES, Builder, Index, ProofFailed, make_base, run
from scripts.image_run import ENTER, Container, user_of

WRITES_DOWN = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
[ "$FAILS" != "${0##*/}" ] || exit 1
[ "${0##*/}" != debootstrap ] || cp -r "$MADE" "$4"
echo answer
"""
CONFIG = {
    "User": "speechclip",
    "Env": ["PATH=/opt/speechclip/bin:/bin", "SPEECHCLIP_HOST=0.0.0.0"],
    "WorkingDir": "/data",
    "Volumes": {"/data": {}},
    "Entrypoint": ["speechclip"],
    "Cmd": ["serve"],
    "Healthcheck": {"Test": ["CMD", "python", "health.py"]},
}


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which buildah and debootstrap write down their arguments."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("buildah", "debootstrap"):
        (tools / name).write_text(WRITES_DOWN)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("MADE", str(debian(tmp_path / "debian")))
    return tmp_path / "calls"


def debian(root: Path) -> Path:
    """What debootstrap leaves."""
    for name in ("etc/passwd", "usr/lib/python3.11/EXTERNALLY-MANAGED", "var/lib/apt/lists/x", "data/.keep"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("root:x:0:0:root:/root:/bin/sh\nspeechclip:x:10001:10002::/home:/bin/sh\n")
    return root


def told(calls: Path, builder: Builder) -> list[str]:
    """The calls without where the storage is."""
    always = " ".join(builder.command()[1:])
    return [line.replace(f"{always} ", "") for line in calls.read_text().splitlines()]


def test_a_base_is_a_debian_whose_pip_installs(tmp_path: Path, calls: Path) -> None:
    make_base(tmp_path / "base.tar")

    with tarfile.open(tmp_path / "base.tar") as archive:
        files = {member.name for member in archive if member.isfile()}
    assert files == {"./etc/passwd", "./data/.keep"}
    assert "--variant=minbase --include=python3," in calls.read_text()
    assert sorted(path.name for path in tmp_path.glob("base*")) == ["base.tar"]


def test_a_base_that_was_not_finished_is_not_there(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "debootstrap")
    with pytest.raises(ProofFailed, match="debootstrap ended with status 1"):
        make_base(tmp_path / "base.tar")

    assert not (tmp_path / "base.tar").exists()


def test_the_plan_is_to_import_a_base_and_to_build_the_target_on_it(tmp_path: Path, calls: Path) -> None:
    builder = Builder(tmp_path / "work")
    base = builder.import_base(Path("/kept/base.tar"))
    image = builder.build(Path("/checkout"), "cpu", base, Index())

    assert told(calls, builder) == [
        "buildah from scratch",
        "buildah add answer /kept/base.tar /",
        "buildah commit --rm answer localhost/base",
        "buildah build --isolation chroot --format docker --layers --target cpu --build-arg BASE=localhost/base"
        " --tag localhost/speechclip-search:cpu /checkout",
    ]
    assert image == "localhost/speechclip-search:cpu"


def test_all_of_it_lies_in_one_folder_and_is_removed(tmp_path: Path, calls: Path) -> None:
    builder = Builder(tmp_path / "work")
    with builder.mounted("image") as root:
        assert root == Path("answer")
    (builder.folder / "base.tar").touch()
    builder.remove()

    assert told(calls, builder) == [
        "buildah from image",
        "buildah mount answer",
        "buildah rm answer",
        "buildah rmi --all --force",
    ]
    assert str(builder.folder / "storage") in calls.read_text()
    assert [path.name for path in builder.folder.iterdir()] == ["base.tar"]


def test_a_public_index_needs_nothing(tmp_path: Path) -> None:
    assert Index().arguments(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_one_s_own_is_told_to_pip_and_uv_by_mounted_files(tmp_path: Path) -> None:
    index = Index("https://index.example/simple", ("/wheels", "https://links.example/"), "/my/ca.pem", has_torch=True)
    words = index.arguments(tmp_path)

    assert words[::2] == ["--volume"] * 4 + ["--build-arg"]
    assert words[1::2] == [
        "/wheels:/wheels:ro",
        f"/my/ca.pem:{CERTIFICATES}:ro",
        f"{tmp_path}/pip.conf:/etc/pip.conf:ro",
        f"{tmp_path}/uv.toml:/etc/uv/uv.toml:ro",
        "TORCH_BACKEND=",
    ]
    pip = configparser.ConfigParser()
    pip.read(tmp_path / "pip.conf")
    assert dict(pip["global"]) == {
        "index-url": "https://index.example/simple",
        "find-links": "/wheels https://links.example/",
        "cert": CERTIFICATES,
    }
    assert tomllib.loads((tmp_path / "uv.toml").read_text()) == {
        "index-url": "https://index.example/simple",
        "find-links": ["/wheels", "https://links.example/"],
        "system-certs": True,
    }


def test_the_service_is_run_as_the_image_says_but_for_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = list[tuple[int, int]]()
    monkeypatch.setattr(os, "chown", lambda path, user, group: owners.append((user, group)))
    root = debian(tmp_path / "root")
    container = Container.of(CONFIG, root, tmp_path / "data", {"SPEECHCLIP_HOST": "127.0.0.1"})

    words = container.words(container.entry)
    rights, _, rest = " ".join(words).partition(" -- ")
    assert rights == (
        "setpriv --reuid=10001 --regid=10002 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all"
    )
    assert rest == (
        "env --ignore-environment --chdir=/data PATH=/opt/speechclip/bin:/bin SPEECHCLIP_HOST=127.0.0.1"
        " speechclip serve"
    )
    assert container.health == ["python", "health.py"]
    assert owners == [((root / "data").stat().st_uid, (root / "data").stat().st_gid)]


def test_the_root_is_read_only_before_anything_runs_in_it() -> None:
    steps = ENTER.split("\n")

    assert steps.index('mount -o remount,bind,ro "$root"') == steps.index('exec chroot "$root" "$@"') - 1


def test_an_image_without_its_user_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProofFailed, match="no user 'nobody'"):
        user_of("nobody", debian(tmp_path / "root"))


def test_a_tool_that_is_missing_is_one_sentence() -> None:
    with pytest.raises(ProofFailed, match="no-such-tool is not installed: apt-get install"):
        run(["no-such-tool"])


def test_only_root_may_do_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        image_proof.main([str(tmp_path / "work")])

    assert not (tmp_path / "work").exists()


def test_a_failure_is_one_sentence_and_leaves_the_layers(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("FAILS", "buildah")

    assert image_proof.main([str(tmp_path / "work"), "--base", "example/python"]) == 1
    assert capsys.readouterr().err.startswith("Error: buildah ended with status 1")
    assert "rmi" not in calls.read_text()
