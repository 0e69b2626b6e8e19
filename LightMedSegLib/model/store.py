"""The catalogue of models: those shipped with the program, and the user's own.

A version is immutable: it is copied under a temporary name, synced and renamed, so that a crash at any point
leaves the store valid, and it never changes afterwards. Fine-tuned versions name their parent; going back is
choosing another version.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError, OutputError
from LightMedSegLib.core.semver import Version
from LightMedSegLib.core.user_folders import shipped_models_folder, user_models_folder
from LightMedSegLib.model.active_versions import active_version, choose_version
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.package import Model, export_zip, load_model
from LightMedSegLib.model.package_folder import copy_package, package_files, read_card
from LightMedSegLib.storage.atomic_files import atomic_folder, is_temporary, remove_stale, sync, temporary_name


@dataclass(frozen=True)
class ModelEntry:
    """One line of the catalogue; problem says in one sentence why the model cannot be used (None: it can)."""

    card: ModelCard | None
    folder: Path
    shipped: bool
    problem: str | None = None

    @property
    def identifier(self) -> str:
        """``name@version``, or the folder's name if there is no readable card."""
        return self.card.identifier if self.card else self.folder.name

    def __repr__(self) -> str:
        return f"<ModelEntry {self.identifier}{f': {self.problem}' if self.problem else ''}>"


# Inside the class, "list" is its method.
_Catalogue = list[ModelEntry]
_Cards = list[ModelCard]


class ModelStore:
    """Models in two folders: shipped (never written) and user. None means the program's usual folder."""

    def __init__(self, shipped: Path | None = None, user: Path | None = None) -> None:
        self.shipped = shipped if shipped is not None else shipped_models_folder()
        self.user = user if user is not None else user_models_folder()

    def list(self) -> _Catalogue:
        """All models, shipped ones first, then by name and version; a broken one has a problem.

        Reads the cards only: :meth:`verify` also checks the weights.
        """
        entries = [*self._entries(self.shipped, shipped=True), *self._entries(self.user, shipped=False)]
        return sorted(entries, key=lambda entry: (not entry.shipped, *_order(entry)))

    def find(self, identifier: str) -> Model:
        """The model called ``name@version``, or of ``name`` the version that the user chose, else the newest.

        The newest is a release where there is one: a candidate such as 1.1.0-rc.1 must be asked for. Raises
        ModelPackageError for an unknown name (it lists what there is) and for a damaged model.
        """
        entries = self.list()
        sound = [entry for entry in entries if entry.card and not entry.problem and _answers(entry, identifier)]
        if sound:
            return load_model(self._best(sound, identifier).folder)
        broken = [entry for entry in entries if entry.problem and _answers(entry, identifier)]
        if broken:
            raise ModelPackageError(broken[0].problem)
        known = ", ".join(entry.identifier for entry in entries if not entry.problem) or "none"
        raise ModelPackageError(f"There is no model {identifier!r}; available: {known}.")

    def cards_in_use(self) -> _Cards:
        """The cards of the versions that plain names mean, of sound models that segment by themselves."""
        sound = [entry for entry in self.list() if entry.card and not entry.problem]
        names = dict.fromkeys(entry.card.name for entry in sound if entry.card)
        best = [self._best([entry for entry in sound if _answers(entry, name)], name) for name in names]
        return [entry.card for entry in best if entry.card and not (is_draft(entry.card) or entry.card.promptable)]

    def version_in_use(self, name: str) -> str | None:
        """The version that the plain name means, None without a sound one; reads no weights, unlike find()."""
        sound = [entry for entry in self.list() if entry.card and not entry.problem and _answers(entry, name)]
        best = self._best(sound, name) if sound else None
        return best.card.version if best and best.card else None

    def _best(self, entries: _Catalogue, identifier: str) -> ModelEntry:
        chosen = f"{identifier}@{self.chosen(identifier)}"
        return max(entries, key=lambda entry: (entry.identifier == chosen, *_newness(entry)))

    def chosen(self, name: str) -> str | None:
        """The version that the user chose for the plain name; None where the newest release is in use."""
        return active_version(self.user, name) if "@" not in name else None

    def choose(self, name: str, version: str | None) -> None:
        """Use this version for the plain name from now on, or with None the newest release again.

        Raises ModelPackageError for a version that is not there, ModelStoreError if the disk refuses.
        """
        if version is not None:
            self.find(f"{name}@{version}")
        with _store_errors():
            choose_version(self.user, name, version)

    def add(self, source: str | Path) -> Model:
        """Check the package (folder or zip) and add it to the user's models; adding it again changes nothing.

        Raises ModelPackageError if it is not sound, ModelStoreError if another package of this name and version
        is there already (shipped or the user's) or the folder cannot be written.
        """
        model = load_model(source)
        identifier = model.card.identifier
        for entry in self.list():
            if entry.identifier == identifier:
                return self._same_or_refuse(entry.folder, model)
        target = self.user / identifier
        with _store_errors():
            remove_stale(self.user)
            try:
                with atomic_folder(target) as temporary:
                    copy_package(model.folder, temporary)
                    # The source may have changed since it was checked.
                    if load_model(temporary).card != model.card:
                        raise ModelStoreError(f"{identifier} changed while it was copied: try again.")
            except FileExistsError:  # Another process added it meanwhile, or something else lies there.
                return self._same_or_refuse(target, model)
        return load_model(target)

    def export(self, identifier: str, zip_path: str | Path) -> Path:
        """Write one model as a zip file that :meth:`add` reads; raises OutputError if it cannot be written."""
        return export_zip(self.find(identifier), zip_path)

    def remove(self, identifier: str) -> None:
        """Remove one of the user's models, named with its version; raises ModelStoreError for any other."""
        matching = [entry for entry in self.list() if identifier in (entry.identifier, entry.folder.name)]
        own = [entry for entry in matching if not entry.shipped and entry.folder != self.user]
        if not own:
            reason = "it came with the program" if matching else "the user's models have no such name and version"
            raise ModelStoreError(f"{identifier} cannot be removed: {reason}.")
        with _store_errors():
            # One rename takes it out of the catalogue, however long deleting its files takes.
            doomed = self.user / temporary_name()
            own[0].folder.rename(doomed)
            sync(self.user)
            shutil.rmtree(doomed, ignore_errors=True)

    def verify(self) -> _Catalogue:
        """The catalogue after reading every byte of weights; damaged models have a problem."""
        return [_verified(entry) for entry in self.list()]

    def _entries(self, folder: Path | None, shipped: bool) -> Iterator[ModelEntry]:
        if folder is None:
            return
        try:
            if not folder.exists():
                return
            children = sorted(child for child in folder.iterdir() if child.is_dir() and not is_temporary(child))
        except OSError as error:
            yield ModelEntry(None, folder, shipped, f"The model folder {folder} cannot be read: {error.strerror}.")
            return
        for child in children:
            try:
                card = read_card(child)
            except ModelPackageError as error:
                yield ModelEntry(None, child, shipped, str(error))
                continue
            except OSError as error:
                yield ModelEntry(None, child, shipped, f"{child.name} cannot be read: {error.strerror or error}.")
                continue
            yield ModelEntry(card, child, shipped, None if shipped else self._misplaced(card, child))

    def _misplaced(self, card: ModelCard, folder: Path) -> str | None:
        if folder.name != card.identifier:
            return f"{folder.name} holds the model {card.identifier}: import it instead of copying it there."
        return None

    def _same_or_refuse(self, folder: Path, model: Model) -> Model:
        identifier = model.card.identifier
        try:
            present = load_model(folder)
        except ModelPackageError as error:
            raise ModelStoreError(f"{identifier} is there already, but damaged; remove it first: {error}") from None
        if _fingerprint(present.folder) != _fingerprint(model.folder):
            raise ModelStoreError(
                f"{identifier} is there already with other content, and versions never change: "
                "give the new model another name or version."
            )
        return present


def installed_models() -> list[ModelEntry]:
    """The models on this computer: shipped ones first, then by name and version; a broken one has a problem."""
    return ModelStore().list()


def resolve_model(model: str | Path | Model, store: ModelStore | None = None) -> Model:
    """The model of a name (``name`` or ``name@version``), a folder or a zip file; a loaded Model is returned as it is.

    store: where names are looked up; None for the models on this computer. Raises ModelPackageError.
    """
    if isinstance(model, Model):
        return model
    if not isinstance(model, (str, Path)):
        kind = type(model).__name__
        raise ModelPackageError(f"A model is given by its name, folder or zip file, not by an object of type {kind}.")
    if isinstance(model, Path) or _looks_like_a_path(model):
        return load_model(model)
    try:
        return (store or ModelStore()).find(model)
    except ModelPackageError:
        if Path(model).exists():
            return load_model(model)
        raise


def _looks_like_a_path(text: str) -> bool:
    return any(mark in text for mark in ("/", "\\")) or text in (".", "..") or text.lower().endswith(".zip")


def _answers(entry: ModelEntry, identifier: str) -> bool:
    return identifier == entry.identifier or identifier == entry.identifier.split("@")[0]


def _order(entry: ModelEntry) -> tuple[str, Version]:
    if entry.card is None:
        return entry.folder.name, Version(0, 0, 0)
    return entry.card.name, Version.parse(entry.card.version)


def _newness(entry: ModelEntry) -> tuple[bool, Version, bool]:
    version = _order(entry)[1]
    return not version.prerelease, version, entry.shipped


def _verified(entry: ModelEntry) -> ModelEntry:
    if entry.problem:
        return entry
    try:
        load_model(entry.folder)
    except ModelPackageError as error:
        return replace(entry, problem=str(error))
    return entry


def _fingerprint(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in package_files(folder).items()}


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except OutputError as error:
        raise ModelStoreError(f"The model store cannot be changed: {error}") from error
    except OSError as error:
        raise ModelStoreError(f"The model store cannot be changed: {error.strerror or error}.") from error
