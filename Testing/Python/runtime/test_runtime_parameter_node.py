"""The parameter node wrapper: typed values in a real node, validated, saved, connected to widgets."""

# No postponed annotations here: the wrapper reads those of classes that are made inside a function.
import enum
from pathlib import Path
from typing import Annotated, Any

import pytest


class Speed(enum.Enum):
    SLOW = 1
    FAST = 2


def _wrapper_class() -> Any:
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper, parameterPack

    class Box:
        margin: Annotated[float, WithinRange(0, 50)] = 10.0
        on: bool = False

    box = parameterPack(Box)

    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        reference: slicer.vtkMRMLScalarVolumeNode | None
        threads: Annotated[int, WithinRange(1, 64)] = 2
        overlap: Annotated[float, WithinRange(0, 1), Default(0.5)]
        device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
        speed: Speed = Speed.FAST
        folder: Path
        names: list[str]
        size: tuple[int, float]
        dice: dict[str, float]
        box_of_interest: box

    return parameterNodeWrapper(Parameters)


@pytest.fixture
def parameters(slicer_runtime: Any) -> Any:
    import slicer

    return _wrapper_class()(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "Parameters"))


def test_defaults_are_written_when_the_node_is_wrapped(parameters: Any) -> None:
    assert (parameters.threads, parameters.overlap, parameters.device) == (2, 0.5, "auto")
    assert parameters.speed is Speed.FAST and parameters.volume is None and parameters.reference is None
    assert parameters.parameterNode.GetParameter("speed") == "FAST"
    assert parameters.parameterNode.GetParameter("box_of_interest.margin") == "10.0"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("threads", 0, ValueError),
        ("threads", 2.5, TypeError),
        ("threads", None, ValueError),
        ("overlap", 1.5, ValueError),
        ("device", "tpu", ValueError),
        ("speed", "FAST", TypeError),
        ("folder", "/text", TypeError),
        ("volume", "vtkMRMLScalarVolumeNode1", TypeError),
        ("names", [1], TypeError),
        ("size", (1,), ValueError),
    ],
)
def test_a_value_of_another_type_or_range_is_refused_and_the_old_one_stays(
    parameters: Any, name: str, value: object, error: type[Exception]
) -> None:
    before = getattr(parameters, name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert getattr(parameters, name) == before


def test_a_misspelled_parameter_is_refused(parameters: Any) -> None:
    with pytest.raises(AttributeError, match="no parameter 'treads'"):
        parameters.treads = 4
    with pytest.raises(ValueError, match="no member 'treads'"):
        parameters.getValue("treads")


def test_containers_and_packs_write_their_changes_back(parameters: Any) -> None:
    parameters.names.append("a")
    parameters.names += ["b"]
    parameters.dice["liver"] = 0.9
    parameters.box_of_interest.margin = 5.0
    parameters.setValue("box_of_interest.on", True)
    node = parameters.parameterNode
    assert (node.GetParameter("names_len"), node.GetParameter("names_1")) == ("2", "b")
    assert node.GetParameter("dice_0_0") == "liver" and parameters.dice == {"liver": 0.9}
    assert parameters.getValue("box_of_interest.margin") == 5.0 and parameters.box_of_interest.on
    with pytest.raises(ValueError, match="range"):
        parameters.box_of_interest.margin = 100.0
    assert parameters.box_of_interest.margin == 5.0


def test_everything_survives_saving_and_loading_the_scene(parameters: Any, tmp_path: Path) -> None:
    import slicer

    parameters.threads, parameters.speed, parameters.folder = 7, Speed.SLOW, Path("/models")
    parameters.names, parameters.size, parameters.dice = ["x", "y"], (3, 1.5), {"liver": 0.5}
    parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    parameters.reference = parameters.volume
    path = str(tmp_path / "scene.mrml")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(path)
    loaded = type(parameters)(slicer.util.getNode("Parameters"))
    assert (loaded.threads, loaded.speed, loaded.folder) == (7, Speed.SLOW, Path("/models"))
    assert (list(loaded.names), loaded.size, dict(loaded.dice)) == (["x", "y"], (3, 1.5), {"liver": 0.5})
    assert loaded.volume.GetName() == "Scan" and loaded.reference is loaded.volume


def test_a_removed_node_becomes_none(parameters: Any) -> None:
    import slicer

    parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    slicer.mrmlScene.RemoveNode(parameters.volume)
    assert parameters.volume is None


def test_widgets_and_node_follow_each_other_until_disconnected(parameters: Any) -> None:
    import ctk
    import qt
    import slicer

    panel = qt.QWidget()
    layout = qt.QVBoxLayout(panel)
    widgets = {
        "volume": slicer.qMRMLNodeComboBox(),
        "threads": qt.QSpinBox(),
        "overlap": ctk.ctkSliderWidget(),
        "device": qt.QComboBox(),
        "speed": qt.QComboBox(),
        "folder": ctk.ctkPathLineEdit(),
        "box_of_interest.on": qt.QCheckBox(),
        "box_of_interest.margin": qt.QDoubleSpinBox(),
    }
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
        layout.addWidget(widget)
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    tag = parameters.connectGui(panel)
    assert widgets["threads"].maximum == 64 and widgets["speed"].currentText == "FAST"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    widgets["volume"].setCurrentNode(volume)
    widgets["threads"].value = 5
    widgets["overlap"].value = 0.75
    widgets["device"].currentIndex = 1
    widgets["folder"].currentPath = "/models"
    widgets["box_of_interest.on"].checked = True
    assert parameters.volume is volume and parameters.threads == 5 and parameters.overlap == 0.75
    assert parameters.device == "cpu" and parameters.folder == Path("/models") and parameters.box_of_interest.on
    parameters.speed = Speed.SLOW
    parameters.box_of_interest.margin = 3.0
    assert widgets["speed"].currentText == "SLOW" and widgets["box_of_interest.margin"].value == 3.0
    parameters.disconnectGui(tag)
    widgets["threads"].value = 9
    parameters.speed = Speed.FAST
    assert parameters.threads == 5 and widgets["speed"].currentText == "SLOW"


def test_a_widget_that_cannot_show_the_parameter_is_refused(parameters: Any) -> None:
    import ctk
    import qt

    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        parameters.connectParametersToGui({"device": ctk.ctkComboBox()})
    with pytest.raises(ValueError, match="no member 'threats'"):
        parameters.connectParametersToGui({"threats": qt.QSpinBox()})


def test_reserved_names_and_types_that_cannot_be_kept_are_refused(slicer_runtime: Any) -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    with pytest.raises(ValueError, match="reserved"):
        parameterNodeWrapper(type("A", (), {"__annotations__": {"setValue": int}}))
    with pytest.raises(TypeError, match="serializer"):
        parameterNodeWrapper(type("B", (), {"__annotations__": {"value": object}}))


def test_many_changes_are_one_modified_event(parameters: Any) -> None:
    import slicer

    seen = []
    parameters.AddObserver("ModifiedEvent", lambda caller, event: seen.append(event))
    with slicer.util.NodeModify(parameters):
        parameters.threads = 3
        parameters.device = "cpu"
    assert len(seen) == 1
