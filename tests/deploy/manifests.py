"""The manifests of Kubernetes: their schema, and what the restricted profile and edgec ask for."""

import subprocess

import kubernetes_validate
import yaml

# The oldest Kubernetes whose API has all that the manifests use (a pause before the end of a pod),
# and the newest one that the package knows.
OLDEST = "1.30"
KINDS = {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"}


def accepts(edgec, arguments):
    """Whether edgec knows a command line: its parser reads `--help` at the end only then."""
    done = subprocess.run([edgec, *arguments, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, f"edgec {' '.join(arguments)}: {done.stderr}"


def check(edgec, folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    documents = {}
    for name in kustomization["resources"]:
        [document] = list(yaml.safe_load_all((folder / name).read_text()))
        for version in OLDEST, kubernetes_validate.latest_version():
            kubernetes_validate.validate(document, version, strict=True)
        assert "namespace" not in document["metadata"], name
        documents[document["kind"]] = document
    assert documents.keys() == KINDS, documents.keys()
    refuses_what_is_wrong(documents["Deployment"])
    spec = documents["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for chosen in (
        spec["selector"]["matchLabels"],
        documents["Service"]["spec"]["selector"],
        documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert chosen.items() <= labels.items(), chosen
    pod = spec["template"]["spec"]
    restricted(pod)
    [generated] = kustomization["configMapGenerator"]
    configured = {path.split("/")[-1]: folder / path for path in generated["files"]}
    assert all(path.is_file() for path in configured.values()), configured
    mounted(pod, generated["name"], configured)
    ends_in_time(pod, configured["serve.toml"].read_text())
    images = {one["name"] for one in kustomization["images"]}
    for container in containers(pod):
        assert container["image"] in images, container["name"]
        if "args" in container:
            accepts(edgec, container["args"])


def containers(pod):
    return pod["initContainers"] + pod["containers"]


def refuses_what_is_wrong(deployment):
    """A validator that accepts everything proves nothing."""
    wrong = yaml.safe_load(yaml.safe_dump(deployment))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    try:
        kubernetes_validate.validate(wrong, OLDEST, strict=True)
    except kubernetes_validate.ValidationError:
        return
    raise AssertionError("a wrong manifest was accepted")


def restricted(pod):
    """The restricted profile of the Pod Security Standards, and a read-only root file system."""
    whole = pod["securityContext"]
    assert whole["runAsNonRoot"] and whole["runAsUser"] >= 10000, whole
    assert whole["seccompProfile"]["type"] == "RuntimeDefault", whole
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    allowed = {"name", "emptyDir", "configMap", "secret"}
    assert all(set(volume) <= allowed for volume in pod["volumes"])
    for container in containers(pod):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False, container["name"]
        assert own["readOnlyRootFilesystem"] is True, container["name"]
        assert own["capabilities"] == {"drop": ["ALL"]}, container["name"]
        assert "memory" in container["resources"]["limits"], container["name"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, container["name"]


def mounted(pod, config, configured):
    """Every mount has its volume; files of the configuration are mounted alone, at their place."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["config"]["configMap"]["name"] == config
    for container in containers(pod):
        for mount in container["volumeMounts"]:
            assert mount["name"] in volumes, mount
            if mount["name"] == "config":
                assert mount["mountPath"] == f"/etc/edgec/{mount['subPath']}", mount
                assert mount["subPath"] in configured, mount
    first = pod["initContainers"][0]
    [mount] = first["volumeMounts"]
    made = first["command"][-1]
    assert made.startswith(mount["mountPath"] + "/"), made
    states = [mount for container in containers(pod)[1:] for mount in container["volumeMounts"]
              if mount["name"] == "state"]
    assert all(mount["subPath"] == made.rsplit("/", 1)[1] for mount in states), states


def ends_in_time(pod, config):
    """A drain and the pause before it fit into the time that Kubernetes gives a pod."""
    [serve] = pod["containers"]
    pause = serve["lifecycle"]["preStop"]["sleep"]["seconds"]
    [line] = [line for line in config.splitlines() if line.startswith("drain-time")]
    drain = int(line.split('"')[1].removesuffix("s"))
    assert pause + drain < pod["terminationGracePeriodSeconds"], (pause, drain)
