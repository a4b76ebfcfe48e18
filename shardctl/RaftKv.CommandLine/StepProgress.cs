namespace RaftKv.CommandLine;

/// <summary>Says how far a long run has come: beside a spinner on a terminal, else a line for each step on standard error.</summary>
/// <param name="spinner">Takes the place of what it said before.</param>
public sealed class StepProgress(Screen screen, Action<string> spinner)
{
    private string _step = "";

    public void Step(string text)
    {
        _step = text;
        if (screen.IsTerminal) spinner(text);
        else screen.Error.WriteLine(text);
    }

    /// <summary>What of the step is being done just now.</summary>
    public void Detail(string text)
    {
        if (screen.IsTerminal) spinner($"{_step}: {text}");
    }
}
