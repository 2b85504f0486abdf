from xml.etree import ElementTree

from sc_neurocore._tables import html_table, text_table


def test_a_table_in_html_has_a_header_and_escapes_its_cells():
    table = ElementTree.fromstring(html_table(["name", "n"], [["<b> & co", 3], ["x", 4.5]]))
    assert [cell.text for cell in table.iter("th")] == ["name", "n"]
    assert [cell.text for cell in table.iter("td")] == ["<b> & co", "3", "x", "4.5"]
    assert len(list(table.iter("tr"))) == 3


def test_a_table_without_rows_is_its_header():
    table = ElementTree.fromstring(html_table(["name"], []))
    assert len(list(table.iter("tr"))) == 1


def test_a_table_in_text_is_aligned():
    assert text_table([["name", "n"], ["longer", "12"]]) == "name     n\nlonger  12"
