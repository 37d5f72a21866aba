"""The guides for teachers, as they are printed."""

import re

import print_guides
import pytest

GUIDES = print_guides.chosen([])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_takes_one_sheet_of_a4(browser, guide):
    page = browser.new_page()
    page.set_content(print_guides.page([guide]))
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
