"""The three steps of fine-tuning: one is open at a time, the work leads from one to the next, and it stays in sight."""

from __future__ import annotations

from typing import Any

from scripted_finetuning import BASELINE, START, Finetune, step, verdict

SCREEN = (500, 459)


def open_steps(ui: Any) -> list[str]:
    return [button.objectName for button in (ui.addCaseGroup, ui.trainGroup, ui.decideGroup) if not button.collapsed]


def in_sight(widget: Any, height: int | None = None) -> bool:
    """Whether a widget, or that much of its upper part, is inside what Slicer shows of the panel."""
    inner = widget._checked()
    return bool(inner.visibleRegion().boundingRect().height() >= (inner.height() if height is None else height))


def test_the_work_leads_from_step_to_step(finetune: Finetune) -> None:
    ui = finetune.ui
    assert open_steps(ui) == ["addCaseGroup"]
    finetune.result()
    finetune.add_case()
    assert open_steps(ui) == ["trainGroup"] and ui.casesGroup.visible
    ui.decideGroup.collapsed = False
    assert open_steps(ui) == ["decideGroup"] and ui.decideLabel.visible
    finetune.start()
    assert open_steps(ui) == ["trainGroup"] and not ui.casesGroup.visible
    candidate = finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.see(START, BASELINE, step(1, 1), verdict(candidate=candidate), alive=False)
    assert open_steps(ui) == ["decideGroup"] and ui.verdictFrame.visible and not ui.decideLabel.visible
    ui.keepAsideButton.click()
    assert open_steps(ui) == ["addCaseGroup"], "more corrections may make a better version"


def test_the_open_step_is_scrolled_to_on_a_small_screen(finetune: Finetune) -> None:
    from panel_layout import show_at

    ui, session = finetune.ui, finetune.bench.session
    finetune.result()
    show_at(finetune.bench.panel, *SCREEN)
    assert not in_sight(ui.trainGroup)
    finetune.add_case()
    session.wait_until(lambda: in_sight(ui.finetuneButton), 30, "the second step in sight")
    finetune.start()
    finetune.see(START, BASELINE, *(step(1, number) for number in range(1, 6)))
    followed = (ui.finetuneButton, ui.finetuneBar, ui.finetuneLabel)
    session.wait_until(
        lambda: in_sight(ui.plotFrame, 170) and all(in_sight(widget) for widget in followed), 30, "the plot in sight"
    )
    finetune.see(verdict(candidate=finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")), alive=False)
    session.wait_until(lambda: in_sight(ui.verdictTitleLabel) and in_sight(ui.adoptButton), 30, "the verdict in sight")
