"""The overlays: they render, a release is one tag, a number of replicas one number, a secret in no commit."""

import subprocess
from pathlib import Path

import pytest

from support.manifests import K8S, SERVICES, WORKERS, Rendered, copy_tree, make_secrets, render


def replicas(rendered: Rendered) -> dict[str, int | None]:
    return {name: each["spec"].get("replicas") for name, each in rendered.kind("Deployment").items()}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has to say it once: {old}"
    file.write_text(text.replace(old, new))


def test_every_overlay_runs_the_five_services_and_migrates_their_databases(rendered: Rendered) -> None:
    assert set(SERVICES) <= set(rendered.kind("Deployment"))
    assert set(SERVICES) <= set(rendered.kind("Service"))
    assert {f"migrate-{name}" for name in SERVICES} == set(rendered.kind("Job"))
    assert {each["metadata"].get("namespace", "shop-queue") for each in rendered.manifests} == {"shop-queue"}


def test_every_service_account_has_no_token(rendered: Rendered) -> None:
    accounts = rendered.kind("ServiceAccount")

    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    assert {each["spec"]["serviceAccountName"] for each in rendered.pods().values()} == set(accounts)


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_the_release_of_an_overlay_is_one_word_in_one_file(tmp_path: Path, overlay: str) -> None:
    tree = copy_tree(tmp_path / "k8s")
    make_secrets(tree)
    edit(
        tree / "overlays" / overlay / "kustomization.yaml",
        f"&release {'local' if overlay == 'local' else '0.1.0'}",
        "&release 7.7.7",
    )

    images = {container["image"] for _, _, container in render(tree / "overlays" / overlay).containers()}

    ours = {image for image in images if "shop-queue/" in image}
    assert len(ours) >= len(SERVICES)
    assert all(image.endswith(":7.7.7") for image in ours)


def test_no_image_is_whatever_is_newest(rendered: Rendered) -> None:
    for owner, _, container in rendered.containers():
        _, _, tag = container["image"].rpartition("/")[2].partition(":")
        assert tag not in {"", "latest"}, owner
        assert container["imagePullPolicy"] == "IfNotPresent", (
            f"{owner}: a side-loaded image would be asked for"
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_scaled_by_one_number_in_one_file(
    tmp_path: Path, overlays: dict[str, Rendered], service: str
) -> None:
    tree = copy_tree(tmp_path / "k8s")
    make_secrets(tree)
    edit(
        tree / "overlays/local/kustomization.yaml", f"name: {service}, count: 1", f"name: {service}, count: 3"
    )

    assert replicas(render(tree / "overlays/local")) == {**replicas(overlays["local"]), service: 3}


def test_an_autoscaler_has_the_number_of_workers_to_itself(overlays: dict[str, Rendered]) -> None:
    for overlay in ("local-hpa", "production"):
        assert {replicas(overlays[overlay])[worker] for worker in WORKERS} == {None}
    assert replicas(overlays["production"])["gateway"] == 3


def test_without_its_secrets_the_local_overlay_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        render(copy_tree(tmp_path / "k8s") / "overlays" / "local")

    assert "secrets/gateway/database-url" in failed.value.stderr


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "k8s")
    make_secrets(tree)
    folder = tree / "overlays" / "local" / "secrets"
    files = {file: file.read_text() for file in folder.rglob("*") if file.is_file()}

    make_secrets(tree)

    assert {file: file.read_text() for file in folder.rglob("*") if file.is_file()} == files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".secrets")] == []
    passwords = [text for file, text in files.items() if file.parent.name == "postgres"]
    assert len(set(passwords)) == len(passwords) == len(SERVICES) + 1


def test_secrets_can_not_be_committed() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "overlays/local/secrets/gateway/api-key"],
        cwd=K8S,
        check=False,
        capture_output=True,
    )

    assert ignored.returncode == 0


def test_no_manifest_of_production_holds_a_secret(overlays: dict[str, Rendered]) -> None:
    assert overlays["production"].kind("Secret") == {}


def test_each_secret_that_a_pod_wants_is_made_with_the_files_that_it_reads(rendered: Rendered) -> None:
    made = {
        **{name: set(each["data"]) for name, each in rendered.kind("Secret").items()},
        **{
            each["spec"]["target"]["name"]: {entry["secretKey"] for entry in each["spec"]["data"]}
            for each in rendered.kind("ExternalSecret").values()
        },
    }
    for owner, spec, container in rendered.containers():
        secrets = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
        assert secrets <= set(made), owner
        environment = {each["name"]: each["value"] for each in container.get("env", [])}
        if "envFrom" in container:
            environment = {**rendered.settings(), **environment}
        for variable, value in environment.items():
            if variable.endswith("_FILE"):
                folder, _, key = value.rpartition("/")
                assert folder == "/run/secrets", owner
                assert any(key in made[secret] for secret in secrets), f"{owner}: {variable}"
