"""How a run ends on the screen."""

import json

from ai3ray.domain.call import ErrorInfo
from cli.render.final_answer import answer_text, failure_summary, print_result
from tests.cli.recorded import RUN, run_result


def test_a_pipe_gets_the_answer_as_it_is_with_a_line_end():
    assert answer_text("# Title\n\x1b[1mbold", terminal=False) == "# Title\n\x1b[1mbold\n"
    assert answer_text("text\n", terminal=False) == "text\n"


def test_a_terminal_gets_markdown_and_no_escape_of_a_models_own():
    shown = answer_text("# Title\n\nSome **bold** \x1b]0;x\x07 words", terminal=True)
    assert "**" not in shown
    assert "\x1b]0" not in shown
    assert "␛]0;x␇" in shown


def test_a_terminal_gets_json_as_it_is():
    text = '{\n  "a": "*b*"\n}'
    assert answer_text(text, terminal=True) == f"{text}\n"


def test_the_answer_is_alone_on_stdout(capsys):
    assert print_result(run_result(status="succeeded"), as_json=False) == 0
    assert capsys.readouterr() == ("the intro\n", "")


def test_what_a_partial_run_lacks_is_named_on_stderr(capsys):
    assert print_result(run_result(), as_json=False) == 3
    out, err = capsys.readouterr()
    assert out == "the intro\n"
    assert err == f"ai3: partial: no answer for b (failed), c (skipped); see 'ai3 runs show {RUN}'\n"


def test_a_failed_run_says_why_in_one_line(capsys):
    failed = run_result("failed", None, error=ErrorInfo(type="no_model_left", message="every model\nis out"))
    assert print_result(failed, as_json=False) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no_model_left: every model is out" in err
    assert err.count("\n") == 1


def test_json_is_the_whole_run(capsys):
    assert print_result(run_result(), as_json=True) == 3
    shown = json.loads(capsys.readouterr().out)
    assert shown["run_id"] == RUN
    assert [task["status"] for task in shown["tasks"]] == ["succeeded", "failed", "skipped"]
    assert set(shown) == {"run_id", "status", "prompt", "output", "tasks", "stats", "warnings"}


def test_a_cancelled_run_is_130_and_named(capsys):
    assert print_result(run_result("cancelled", None), as_json=False) == 130
    assert capsys.readouterr() == ("", f"ai3: cancelled {RUN}\n")


def test_a_run_that_nobody_works_on_says_so():
    assert (
        failure_summary(run_result("running", None))
        == f"{RUN} is running, but its head is gone; 'ai3 runs resume {RUN}' goes on with it"
    )
