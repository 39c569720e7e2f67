"""Names with tags in them."""

from flux.base.mustache import job_tags, render, task_tags


def test_tags_are_replaced_and_unknown_ones_stay_and_are_told() -> None:
    unknown: list[str] = []
    assert render("a{{x}}-{{y}}{{x}}.out", {"x": "1"}, unknown.append) == "a1-{{y}}1.out"
    assert unknown == ["y"]


def test_what_is_no_tag_stays() -> None:
    assert render("{{", {}, print) == "{{"
    assert render("a}}b{c}", {}, print) == "a}}b{c}"
    assert render("plain", {}, print) == "plain"


def test_a_job_s_tags_have_its_id_in_every_form() -> None:
    tags = job_tags(6731191091817518, "hostname", 2, 4)
    assert tags["id"] == tags["jobid.f58"] == "ƒuZZybuNNy"
    assert tags["id.dec"] == "6731191091817518"
    assert (tags["nnodes"], tags["size"], tags["name"]) == ("2", "4", "hostname")
    assert task_tags(3, 1, 1, 7)["node.broker_rank"] == "7"
