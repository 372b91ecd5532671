"""A screen on a server gives the same tables as the same screen in a folder."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("moto", reason="moto is not installed (extra dev)")
pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")

from cloome_kedro.datasets.folder import FolderDataset
from cloome_kedro.imaging import remote
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.provided import find_functions
from cloome_kedro.imaging.illumination.settings import ProvidedIllumination
from cloome_kedro.imaging.index import PATHS, index_screen
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.remote import Remote, RemoteError, RemoteSettings, set_remote, use_remote
from cloome_kedro.imaging.store import PlateStore
from s3_server import S3Server
from small_screens import edit_csv, make_source, write_load_data_screen

IMAGES = 2 * 8 * 5  # plates, fields, channels


@pytest.fixture(scope="module")
def server():
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def screen(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    source = write_load_data_screen(folder)
    server.upload(folder, "screens/screen")
    return folder, make_source(source)


@pytest.fixture
def raw_screen(server, screen, tmp_path):
    """The folder on the server, as the catalog gives it to nodes."""
    server.requests.clear()
    options = {"anon": True, "client_kwargs": {"endpoint_url": server.address}}
    folder = FolderDataset(filepath="s3://screens/screen", credentials=options).load()
    use_remote(RemoteSettings(cache=str(tmp_path / "cache"), attempts=2, threads=4))
    yield folder
    server.failures.clear()
    set_remote(Remote())


def ingest(folder, source, tmp_path, name="plates", storage=Storage(), **options):  # noqa: B008
    (tmp_path / name).mkdir()
    store = PlateStore(tmp_path / name)
    index, compounds, rejected = index_screen(folder, "mine", [source])
    fields, rejected = ingest_plates(store, index, rejected, storage, **{"n_jobs": 1, **options})
    images = store.reader(list(fields["plate_file"]), fields["row"])(np.arange(len(fields)))
    return index, compounds, fields, rejected, images


@pytest.mark.parametrize("scope", ["field", "plate"])
def test_the_same_tables_and_images(raw_screen, server, screen, tmp_path, scope):
    on_server = ingest(raw_screen, screen[1], tmp_path, "server", Storage(scope=scope))
    requests = dict(server.requests)
    on_disk = ingest(*screen, tmp_path, "disk", Storage(scope=scope))
    index, *tables, images = on_server
    for one, other in zip(
        [index.drop(columns=PATHS), *tables], [on_disk[0].drop(columns=PATHS), *on_disk[1:4]], strict=True
    ):
        pd.testing.assert_frame_equal(one, other)
    np.testing.assert_array_equal(images, on_disk[-1])
    assert (index["path_DNA"].str.startswith("s3://screens/screen/images/")).all()
    tables_read = 2 + 2 + 1 + 1  # LoadData, platemaps, barcodes, compounds
    assert requests["GET"] <= IMAGES + tables_read, "each file is downloaded once"
    assert requests["list"] < 20, "folders are listed, not files"


def test_worker_processes_read_from_the_server(raw_screen, screen, tmp_path):
    fields = ingest(raw_screen, screen[1], tmp_path, "server", n_jobs=2)[2]
    pd.testing.assert_frame_equal(fields, ingest(*screen, tmp_path, "disk")[2])


def test_a_cache_that_is_smaller_than_the_screen(raw_screen, server, screen, tmp_path):
    size = max(path.stat().st_size for path in screen[0].rglob("*.tiff"))
    settings = RemoteSettings(cache=str(tmp_path / "cache"), attempts=2, threads=2, gigabytes=25 * size / 1e9)
    use_remote(settings)
    fields = ingest(raw_screen, screen[1], tmp_path, "server", Storage(scope="plate"))[2]
    # files that were being downloaded when the last ones were removed can exceed the limit
    most = settings.limit + settings.threads * size
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.tiff")) <= most
    assert server.requests["GET"] > IMAGES, "the plate is read twice, and does not fit"
    pd.testing.assert_frame_equal(fields, ingest(*screen, tmp_path, "disk", Storage(scope="plate"))[2])


def test_addresses_in_a_local_table(raw_screen, screen, tmp_path, tmp_path_factory):
    """Tables on the disk, images on the server, by URL or by the folder of an address."""
    folder = tmp_path_factory.mktemp("tables")
    write_load_data_screen(folder)
    for images in folder.glob("images/*/*"):
        images.unlink()
    for plate, table in (
        ("P1", folder / "load_data_csv/P1/load_data.csv"),
        ("P2", folder / "load_data_csv/P2/load_data.csv"),
    ):
        address = f"s3://screens/screen/images/{plate}"

        def by_address(rows, plate=plate, address=address):
            if plate == "P2":
                return rows.assign(**{f"PathName_Orig{channel}": f"{address}/" for channel in CHANNELS})
            urls = {f"URL_Orig{channel}": f"{address}/" + rows[f"FileName_Orig{channel}"] for channel in CHANNELS}
            return rows.filter(like="Metadata").assign(**urls)

        edit_csv(table, by_address)
    for plate in ("P1", "P2"):
        (folder / "images" / plate).rmdir()
    fields = ingest(folder, screen[1], tmp_path, "server")[2]
    pd.testing.assert_frame_equal(fields, ingest(*screen, tmp_path, "disk")[2])


def test_bad_files_are_set_aside(raw_screen, server, tmp_path):
    folder = tmp_path / "screen"
    source = make_source(write_load_data_screen(folder))
    (folder / "images/P1/B01_s1_ER.tiff").unlink()
    path = folder / "images/P2/B01_s1_DNA.tiff"
    path.write_bytes(path.read_bytes()[:300])
    server.upload(folder, "screens/damaged")
    fields, rejected = ingest(raw_screen.parent / "damaged", source, tmp_path, max_rejected_fraction=0.5)[2:4]
    assert len(fields) == 14
    reasons = rejected.set_index("field_id")["reason"]
    assert reasons["mine/P1/B01/1"] == (
        "missing channel ER: s3://screens/damaged/images/P1/B01_s1_ER.tiff does not exist"
    )
    assert reasons["mine/P2/B01/1"].startswith("channel DNA: B01_s1_DNA.tiff is unreadable or truncated")


def test_an_image_that_disappears_during_the_run_is_set_aside(raw_screen, server, screen, tmp_path):
    index, _, rejected = index_screen(raw_screen, "mine", [screen[1]])
    server.failures["/screens/screen/" + index["path_Mito"].iloc[3].removeprefix("s3://screens/screen/")] = [404] * 9
    (tmp_path / "plates").mkdir()
    store = PlateStore(tmp_path / "plates")
    fields, rejected = ingest_plates(store, index, rejected, Storage(), max_rejected_fraction=0.5, n_jobs=1)
    assert len(fields) == 15
    assert rejected["reason"].item().startswith("channel Mito: ")
    assert rejected["reason"].item().endswith("does not exist")


def test_an_outage_stops_the_run_and_rejects_nothing(raw_screen, server, screen, tmp_path):
    use_remote(RemoteSettings(cache=str(tmp_path / "cache"), attempts=1))
    index, _, rejected = index_screen(raw_screen, "mine", [screen[1]])
    path = index.loc[index["plate"] == "P2", "path_Mito"].iloc[3]
    server.failures["/" + path.removeprefix("s3://")] = [503] * 20
    (tmp_path / "plates").mkdir()
    store = PlateStore(tmp_path / "plates")
    with pytest.raises(RemoteError, match="run again: what has been downloaded is kept"):
        ingest_plates(store, index, rejected, Storage(), n_jobs=1)
    server.failures.clear()
    assert store.digest("P1")
    fields, rejected = ingest_plates(store, index, rejected, Storage(), n_jobs=1)
    assert (len(fields), len(rejected)) == (16, 0)


def test_folders_as_datasets(raw_screen, server):
    options = {"anon": True, "client_kwargs": {"endpoint_url": server.address}}
    assert FolderDataset(filepath="s3://screens/screen", credentials=options).exists()
    with pytest.raises(Exception, match=r"there is no folder s3://screens/none: correct its address"):
        FolderDataset(filepath="s3://screens/none", credentials=options).load()
    with pytest.raises(Exception, match=r"is on a server, where nothing is written"):
        FolderDataset(filepath="s3://screens/none", create=True)
    with pytest.raises(Exception, match=r"is on a server, where nothing is written"):
        FolderDataset(filepath="s3://screens/screen").save(pd.DataFrame())
    assert remote.get_remote().options == options


@pytest.mark.parametrize("files", ["illum/{plate}/{plate}_Illum{channel}.npy", None])
def test_illumination_functions_on_the_server(raw_screen, server, screen, tmp_path, files):
    local = tmp_path / "functions"
    for plate in ("P1", "P2"):
        (local / "illum" / plate).mkdir(parents=True)
        for number, channel in enumerate(CHANNELS):
            function = np.linspace(1, 1.3 + 0.1 * number, 24 * 32).reshape(24, 32)
            np.save(local / f"illum/{plate}/{plate}_Illum{channel}.npy", function)
        columns = {f"FileName_Illum{c}": f"{plate}_Illum{c}.npy" for c in CHANNELS}
        columns |= {f"PathName_Illum{c}": f"s3://screens/screen/illum/{plate}" for c in CHANNELS}
        table = pd.read_csv(screen[0] / f"load_data_csv/{plate}/load_data.csv")
        (local / "load_data_csv" / plate).mkdir(parents=True)
        table.assign(**columns).to_csv(local / f"load_data_csv/{plate}/load_data.csv", index=False)
    server.upload(local, "screens/screen")
    settings = ProvidedIllumination("provided", files)
    functions = find_functions(raw_screen, [screen[1]], {"virtual": ["P1", "P2"]}, settings)
    assert functions["P2"][4] == "s3://screens/screen/illum/P2/P2_IllumDNA.npy"
    storage = Storage(illumination=settings)
    images = ingest(raw_screen, screen[1], tmp_path, "server", storage, functions=functions)[-1]
    on_disk = {
        plate: [path.replace("s3://screens/screen", str(local)) for path in functions[plate]] for plate in functions
    }
    np.testing.assert_array_equal(images, ingest(*screen, tmp_path, "disk", storage, functions=on_disk)[-1])
    assert (images != ingest(*screen, tmp_path, "as they are")[-1]).any()
