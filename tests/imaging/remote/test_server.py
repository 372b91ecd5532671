"""Files and folders on a server."""

import os

import pytest

pytest.importorskip("moto", reason="moto is not installed (extra dev)")
pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")

import fsspec

from cloome_kedro.imaging import remote
from cloome_kedro.imaging.remote import Remote, RemoteError, RemotePath, RemoteSettings, local_file, set_remote
from s3_server import S3Server

FILES = [
    *(f"images/{plate}/{well}_s1.tif" for plate in ("P1", "P2", "P3") for well in ("A01", "B02")),
    *(f"load_data/batch{i}/P{i}/load_data.csv" for i in (1, 2, 3)),
    "load_data/batch1/readme.txt",
    "well.csv",
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture(scope="module")
def server(tree):
    server = S3Server()
    server.upload(tree, "bucket/screen")
    server.upload(tree / "images", "private/images", public=False)
    yield server
    server.stop()


@pytest.fixture
def screen(server, tmp_path):
    connect(server, tmp_path)
    server.requests.clear()
    yield RemotePath("s3://bucket/screen")
    server.failures.clear()
    server.refused.clear()
    set_remote(Remote())


def connect(server, folder, **options):
    options = {"anon": True, "client_kwargs": {"endpoint_url": server.address}, **options}
    set_remote(Remote(RemoteSettings(cache=str(folder / "cache"), gigabytes=0.01, attempts=2), options))


@pytest.mark.parametrize(
    ("pattern", "requests"),
    [
        ("well.csv", 1),
        ("*.csv", 1),
        ("load_data/*/*/load_data.csv", 7),  # load_data, three batches, three plates
        ("load_data/*/P2/load_data.csv", 5),  # load_data, three batches, one plate
        ("load_data/batch1/P1/load_data.csv", 1),
        ("images/P[12]/[!A]*_s?.tif", 3),
        ("**/load_data.csv", 1),
        ("images/**/*.tif", 1),
        ("load_data/*/P4/load_data.csv", 4),
        ("nothing/*/a.csv", 2),
    ],
)
def test_patterns_match_as_on_a_disk_and_list_few_folders(screen, server, tree, pattern, requests):
    assert [str(path) for path in screen.glob(pattern)] == [
        f"{screen}/{path.relative_to(tree).as_posix()}" for path in sorted(tree.glob(pattern))
    ]
    assert server.requests == {"list": requests}
    list(screen.glob(pattern))
    assert "**" in pattern or server.requests["list"] <= requests + 2, "listings are remembered"


def test_a_folder_is_listed_once_for_all_its_files(screen, server):
    folder = screen / "images" / "P1"
    assert (folder / "A01_s1.tif").is_file()
    assert not (folder / "C01_s1.tif").exists()
    assert [path.name for path in folder.iterdir()] == ["A01_s1.tif", "B02_s1.tif"]
    assert server.requests["list"] <= 2  # P1, and images for the file that is not there
    assert (screen / "images").is_dir()
    assert not (screen / "images/P4").is_dir()
    assert not (screen / "images/P1/A01_s1.tif").is_dir()


def test_a_copy_is_read_and_kept(screen, server):
    path = screen / "well.csv"
    assert path.read_text() == "content of well.csv"
    with open(path) as file, path.open("rb") as binary:
        assert file.read().encode() == binary.read() == b"content of well.csv"
    assert server.requests["GET"] == 1
    set_remote(remote.get_remote())  # as another process
    assert path.read_bytes() == b"content of well.csv"
    assert server.requests["GET"] == 1
    with pytest.raises(ValueError, match="is only read"):
        path.open("w")


def test_a_changed_file_is_downloaded_again(screen, server, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for text in ("first", "other"):
        (folder / "a.txt").write_text(text)
        server.upload(folder, "bucket/changing")
        set_remote(remote.get_remote())
        assert RemotePath("s3://bucket/changing/a.txt").read_text() == text


def test_a_missing_file_is_named(screen, server):
    with pytest.raises(FileNotFoundError, match=r"there is no file s3://bucket/screen/images/P1/C01.tif"):
        local_file("s3://bucket/screen/images/P1/C01.tif")
    assert "GET" not in server.requests


def test_an_unknown_protocol_is_a_wrong_address():
    with pytest.raises(RemoteError, match=r"there is no file system for xyz://bucket; use s3://"):
        local_file("xyz://bucket/a.tif")


def test_a_folder_is_not_brought_to_the_disk(screen):
    with pytest.raises(IsADirectoryError, match=r"s3://bucket/screen/images is a folder on a server, .* copy it"):
        os.fspath(screen / "images")


def test_a_busy_server_is_asked_again(screen, server):
    server.failures["/bucket/screen/well.csv"] = [503, 503]
    assert (screen / "well.csv").read_text() == "content of well.csv"
    assert server.requests["GET"] == 3


def test_a_server_that_stays_busy_is_named(screen, server):
    server.failures["/bucket/screen/well.csv"] = [503] * 50
    with pytest.raises(RemoteError, match=r"s3://bucket/screen/well.csv cannot be read: .*Check the network"):
        local_file("s3://bucket/screen/well.csv")
    assert server.requests["GET"] <= 6


def test_a_bucket_that_refuses_access_is_named(screen, server):
    server.refused.add("closed")
    with pytest.raises(RemoteError, match=r"s3://closed refuses access to s3://closed/a: .* public buckets only"):
        list(RemotePath("s3://closed/a").iterdir())
    with pytest.raises(RemoteError, match=r"there is no bucket s3://nowhere"):
        list(RemotePath("s3://nowhere/a").glob("**/*.tif"))


def test_private_files_need_credentials(screen, server, tmp_path):
    address = "s3://private/images/P1/A01_s1.tif"
    with pytest.raises(RemoteError, match=r"s3://private refuses access to .*A01_s1.tif.* set `credentials`"):
        local_file(address)
    connect(server, tmp_path, anon=False, key="testing", secret="testing")
    with open(local_file(address)) as file:
        assert file.read() == "content of images/P1/A01_s1.tif"


def test_access_is_anonymous_unless_the_environment_has_credentials(server, tmp_path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
    set_remote(Remote(RemoteSettings(cache=str(tmp_path))))
    with pytest.raises(RemoteError, match="refuses access"):
        local_file("s3://private/images/P1/A01_s1.tif")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    set_remote(remote.get_remote())
    assert local_file("s3://private/images/P1/A01_s1.tif").endswith("A01_s1.tif")
    set_remote(Remote())


def test_a_server_that_does_not_answer_is_named(tmp_path):
    options = {"anon": True, "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}
    set_remote(Remote(RemoteSettings(cache=str(tmp_path), attempts=1), options))
    with pytest.raises(RemoteError, match="Check the network"):
        local_file("s3://bucket/a.tif")
    set_remote(Remote())


def test_a_missing_package_is_named(monkeypatch):
    def missing(protocol):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    set_remote(Remote())
    with pytest.raises(ModuleNotFoundError, match=r"files of s3:// cannot be read: install the extra s3"):
        local_file("s3://bucket/a.tif")


@pytest.mark.parametrize("value", [{"gigabytes": 0}, {"threads": 0}, {"attempts": 0}])
def test_settings_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=rf"remote: {next(iter(value))} must be"):
        RemoteSettings(**value)
