"""Samples that are shown again, leaks, windows at the scan's own voxels, and the walks of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training_factory import CPU

from LightMedSegLib.interaction import edges
from LightMedSegLib.training.prompting.degrading import Degrading
from LightMedSegLib.training.prompting.geodesic import STEP_COST, geodesic_distance
from LightMedSegLib.training.prompting.objects import ObjectPlace, own_window
from LightMedSegLib.training.prompting.painting import Painter
from LightMedSegLib.training.prompting.pool import SamplePool, turned
from LightMedSegLib.training.prompting.samples import Sample
from LightMedSegLib.training.prompting.user import SimulatedUser
from LightMedSegLib.training.prompting.walks import BatchWalks

SIZE = 24
PATCH = (SIZE, SIZE, SIZE)


def cube(low: int, high: int) -> torch.Tensor:
    mask = torch.zeros((1, 1, *PATCH), dtype=torch.bool)
    mask[..., low:high, low:high, low:high] = True
    return mask


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class NumberedMaker:
    """Makes samples whose brightness is their number."""

    def __init__(self) -> None:
        self.made = 0

    def make(self, count: int, *_: object) -> Sample:
        first, self.made = self.made, self.made + count
        image = torch.arange(first, self.made, dtype=torch.float32).reshape(-1, 1, 1, 1, 1).expand(-1, 1, 4, 4, 4)
        return Sample(image, image > -1, image > -1)


def test_a_pool_makes_a_part_of_what_it_shows_and_shows_no_sample_twice_at_once() -> None:
    maker, random = NumberedMaker(), np.random.default_rng(0)
    pool = SamplePool(maker, 4, 4)  # type: ignore[arg-type]
    shown = [pool.draw(4, seeded(), random).image[:, 0, 0, 0, 0].tolist() for _ in range(9)]
    assert maker.made == 4 + 8
    assert all(len(set(numbers)) >= 3 for numbers in shown) and shown[0] == [0, 1, 2, 3]
    assert all(number in numbers for number, numbers in zip(range(4, 12), shown[1:], strict=True))
    assert len({number for numbers in shown[1:] for number in numbers}) > 8


def test_without_reuse_every_sample_is_new() -> None:
    maker = NumberedMaker()
    pool = SamplePool(maker, 4, 1)  # type: ignore[arg-type]
    for _ in range(3):
        pool.draw(2, seeded(), np.random.default_rng(0))
    assert maker.made == 6


def test_a_turned_array_has_its_axes_in_another_order() -> None:
    array = torch.arange(27.0).reshape(1, 1, 3, 3, 3)
    assert turned(array, ([4, 2, 3], [2]))[0, 0, 0, 1, 2] == array[0, 0, 1, 2, 2]
    flat = torch.zeros((1, 1, 2, 3, 4))
    assert turned(flat, ([4, 2, 3], [])).shape == flat.shape


def test_a_leak_runs_over_even_brightness_and_is_followed_by_an_exclude_prompt() -> None:
    target, room = cube(9, 13), cube(4, 20)
    image = torch.where(room, 1.0, -1.0)
    leak = Degrading(Painter(PATCH, CPU)).leaked(image, target, np.random.default_rng(1))
    assert (leak & target).sum() == target.sum() and leak.sum() > 1.3 * target.sum()
    assert (leak & room).sum() > 0.9 * leak.sum()
    none = torch.zeros((1, 1, *PATCH))
    assert not SimulatedUser(PATCH, CPU, careful=True)(target, leak, none, none, seeded()).added


def test_first_prompts_are_points_where_the_recipe_says_so() -> None:
    none, target = torch.zeros((1, 1, *PATCH)), cube(2, 22)
    user = SimulatedUser(PATCH, CPU, points=1.0)
    for seed in range(8):
        prompt = user(target, cube(0, 0), none, none, torch.Generator().manual_seed(seed)).include > 0
        assert 20 < prompt.sum() < 60


def test_a_window_at_the_scans_own_voxels_is_coarser_only_for_large_objects() -> None:
    random = np.random.default_rng(0)
    for size, scale in ((10, 1.0), (48, 2.5)):
        box = np.array([[0.0] * 3, [size - 1.0] * 3])
        window = own_window(ObjectPlace(1, box, box), PATCH, random)
        assert np.cbrt(abs(np.linalg.det(window.matrix))) == pytest.approx(scale, rel=0.35)


def test_the_walks_of_a_batch_are_those_of_a_session() -> None:
    generator = np.random.default_rng(0)
    image = torch.from_numpy(generator.normal(size=(3, 1, *PATCH)).astype(np.float32)) + 3 * cube(6, 18)
    include, exclude = torch.zeros((2, 3, 1, *PATCH))
    include[:, :, 10:14, 10:14, 10:14] = 1.0
    exclude[:, :, 2:4, 2:4, 2:4] = 0.8
    include[2], exclude[2] = 0.8 * include[2], (cube(15, 18)[0]).float()
    present, within = cube(8, 18).expand(3, -1, -1, -1, -1), torch.ones((3, 1, *PATCH), dtype=torch.bool)
    corrects = np.array([True, False, True])
    drawn = torch.maximum(include, exclude) >= 1
    found = BatchWalks(CPU)(image, present, include, exclude, drawn, within, corrects)
    for n in range(3):
        one = [array[n : n + 1] for array in (image, include, exclude)]
        if corrects[n]:
            alone = edges.corrected(one[0], present[:1], *one[1:], drawn[n : n + 1])
        else:
            alone = edges.new_object(*one, within[:1])
        assert torch.allclose(found[n], alone[0], atol=1e-3)
    assert found[2][cube(15, 18)[0]].max() == 0


def test_in_an_even_image_distance_is_the_number_of_steps() -> None:
    seeds = torch.zeros((1, 1, 9, 9, 9), dtype=torch.bool)
    seeds[0, 0, 2, 3, 4] = True
    distance = geodesic_distance(torch.zeros((1, 9, 9, 9)), seeds)[0, 0]
    places = torch.stack(torch.meshgrid(*[torch.arange(9)] * 3, indexing="ij"), dim=-1)
    steps = (places - torch.tensor([2, 3, 4])).abs().sum(-1)
    assert torch.allclose(distance, STEP_COST * steps, atol=1e-4)
