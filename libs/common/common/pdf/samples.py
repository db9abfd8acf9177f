"""Names in every script the fonts cover, for tests of what is printed."""

from typing import Final

LEFT_TO_RIGHT: Final = {
    "latin": "Łukasz Ñandú Ğül Nguyễn Thị Ự ẞ",
    "cyrillic": "Ірина Щербакова Қазақ",
    "greek": "Γιώργος Παπαδόπουλος",
    "georgian": "თბილისი გიორგი",
    "devanagari": "श्री कृष्ण ज्ञानेश्वर त्रिपाठी हिन्दी",
    "tamil": "தமிழ் ஸ்ரீநிவாசன் கொடி",
    "telugu": "శ్రీనివాస్ తెలుగు",
    "bengali": "শ্রীমতী বাংলা",
    "thai": "นายสมชาย น้ำใจดี",
    "lao": "ສົມສັກ ລາວ",
    "khmer": "ភាសាខ្មែរ",
    "burmese": "မြန်မာ",
    "ethiopic": "አማርኛ ተስፋዬ",
    "chinese": "王小明的收据，谢谢。",
    "traditional chinese": "陳曉東醫療費收據",
    "japanese": "株式会社さくら テスト 田中太郎",
    "korean": "김철수 고객님 감사합니다",
    "mixed": "Anna 王小明 Ирина 김철수 ज्ञानेश्वर Γιώργος สมชาย",
    "currency signs": "₹ € £ ¥ ₩ ₺ ₽ ₿ ₦ ₱ ₫ ₪ ฿",
}

RIGHT_TO_LEFT: Final = {
    "arabic": "محمد العربي پچگ",
    "hebrew": "שָׁלוֹם דוד",
    "arabic and latin": "محمد العربي (Mohamed) 123",
    "latin and hebrew": "Dr. דוד לוי Cohen",
}
