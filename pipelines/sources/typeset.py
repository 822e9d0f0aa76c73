"""Documents that are typeset for the corpus: papers, slides, forms, listings... out of texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipelines.sources.base import Item, SourceError, Unit
from pipelines.sources.drawn import MOST_SCALES, DrawnSource, absolute, faulty
from renderers.documents.opening import Ref, Tools, TypesetRef
from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.typeset.drawing import TypesetSettings

_PAGES = 8
# Setting a document and drawing its pages, as bytes of photographs that would cost as much.
_DOCUMENT_BYTES = 8_000_000


class TypesetSource(TypesetSettings, DrawnSource):
    """Documents that typst sets in type, in many kinds and looks; an item is one page."""

    type: Literal["typeset"] = "typeset"
    uri: str = Field("typeset://documents", description="a name; nothing is read from it")
    documents: int = Field(1000, ge=1, description="how many documents, of one to four pages")
    documents_per_unit: int = Field(50, ge=1, description="documents that one task sets")
    texts: dict[str, tuple[str, ...]] = Field(
        description="text files or folders per language, e.g. {en: [a.txt], zh: [b.jsonl]}"
    )
    pictures: tuple[str, ...] = Field((), description="folders of pictures for figures")

    @field_validator("texts")
    @classmethod
    def _absolute_texts(cls, texts: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {language: absolute(places) for language, places in texts.items()}

    @field_validator("pictures")
    @classmethod
    def _absolute_pictures(cls, pictures: tuple[str, ...]) -> tuple[str, ...]:
        return absolute(pictures)

    @model_validator(mode="after")
    def _has_texts(self) -> TypesetSource:
        needed = {"en": ("en",), "zh": ("zh",), "mixed": ("en", "zh")}
        for language, weight in self.languages.items():
            if weight and (lost := set(needed[language]) - set(self.texts)):
                raise ValueError(
                    f"documents in {language} need texts in {', '.join(sorted(lost))}: add them to"
                    " texts, or give other languages weights, e.g. languages: {en: 1}"
                )
        return self

    def units(self) -> Iterator[Unit]:
        """`start` and `stop` count the documents; the member names what sets and draws them."""
        by = self._drawn_by("typeset")
        looks = [self.glyph_px, self.scales_per_page, self.kinds, self.languages, self._seed]
        for start in range(0, self.documents, self.documents_per_unit):
            stop = min(start + self.documents_per_unit, self.documents)
            yield Unit(
                unit_id=self._unit_id(start, stop, by, *looks),
                source=self.name,
                uri=self.uri,
                start=start,
                stop=stop,
                bytes=0,
                members=(by,),
            )

    def read(self, unit: Unit) -> Iterator[Item]:
        if unit.members != (self._drawn_by("typeset"),):
            raise SourceError(
                f"source {self.name}: this node has other fonts, texts, pictures or another typst"
                " than the one that listed the source. Install the same on all nodes"
            )
        for number in range(unit.start, unit.stop):
            first = number * _PAGES * MOST_SCALES
            ref, _ = self._find(self.uri, first)
            try:
                pages = self.renderings().pages(ref)
            except (DocumentFault, RendererMissing) as error:
                yield faulty(str(number), self.uri, first, error)
                continue
            for page in range(pages):
                for again in range(self.scales_per_page):
                    yield self.item("", self.uri, first + page * MOST_SCALES + again)

    def weight(self, unit: Unit) -> int:
        return (unit.stop - unit.start) * _DOCUMENT_BYTES

    def _find(self, uri: str, offset: int) -> tuple[Ref, int]:
        number, page = divmod(offset // MOST_SCALES, _PAGES)
        ref = TypesetRef(
            seed=self._seed,
            number=number,
            kinds=tuple(sorted(self.kinds.items())),
            languages=tuple(sorted(self.languages.items())),
        )
        return ref, page

    def _member(self, name: str, place: int) -> str:
        place, again = divmod(place, MOST_SCALES)
        number, page = divmod(place, _PAGES)
        return self._numbered(str(number), page, again)

    def _tools(self) -> Tools:
        return Tools(
            fonts=self.fonts,
            timeout_s=self.page_timeout_s,
            texts=tuple(sorted(self.texts.items())),
            pictures=self.pictures,
        )
