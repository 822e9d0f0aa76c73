"""The words that forms, papers and tables have in common, in English and in Chinese."""

from __future__ import annotations

# fmt: off
LABELS: dict[str, tuple[str, str]] = {
    "abstract": ("Abstract", "摘要"), "keywords": ("Keywords", "关键词"),
    "introduction": ("Introduction", "引言"), "related": ("Related Work", "相关工作"),
    "method": ("Method", "研究方法"), "results": ("Results", "实验结果"),
    "discussion": ("Discussion", "讨论"), "conclusion": ("Conclusion", "结论"),
    "references": ("References", "参考文献"), "figure": ("Figure", "图"),
    "table": ("Table", "表"), "chapter": ("Chapter", "章节"), "section": ("Section", "小节"),
    "theorem": ("Theorem", "定理"), "lemma": ("Lemma", "引理"),
    "definition": ("Definition", "定义"), "proof": ("Proof", "证明"),
    "example": ("Example", "例题"), "exercise": ("Exercise", "练习"), "remark": ("Remark", "注记"),
    "solution": ("Solution", "解答"), "lecture": ("Lecture", "讲义"),
    "exam": ("Final Examination", "期末考试试卷"), "name": ("Name", "姓名"),
    "class": ("Class", "班级"), "student_no": ("Student No.", "学号"), "score": ("Score", "得分"),
    "points": ("points", "分"), "choice": ("Multiple Choice", "单项选择题"),
    "blanks": ("Fill in the Blanks", "填空题"), "true_false": ("True or False", "判断题"),
    "short_answer": ("Short Answer", "简答题"), "compute": ("Calculation", "计算题"),
    "reading": ("Reading", "阅读理解"), "minutes": ("minutes", "分钟"),
    "invoice": ("Invoice", "发票"), "quotation": ("Quotation", "报价单"),
    "receipt": ("Receipt", "收据"), "order": ("Purchase Order", "采购订单"),
    "number": ("No.", "编号"), "date": ("Date", "日期"), "due": ("Due Date", "到期日"),
    "bill_to": ("Bill To", "购买方"), "ship_to": ("Ship To", "收货地址"),
    "seller": ("Seller", "销售方"), "item": ("Item", "项目名称"), "unit": ("Unit", "单位"),
    "quantity": ("Qty", "数量"), "price": ("Unit Price", "单价"), "amount": ("Amount", "金额"),
    "tax": ("Tax", "税额"), "subtotal": ("Subtotal", "小计"), "total": ("Total", "合计"),
    "discount": ("Discount", "折扣"), "terms": ("Terms and Conditions", "付款条件"),
    "bank": ("Bank", "开户行"), "account": ("Account", "账号"), "tax_no": ("Tax ID", "税号"),
    "signature": ("Signature", "签名"), "approved": ("Approved by", "审核人"),
    "form": ("Application Form", "申请表"), "applicant": ("Applicant", "申请人"),
    "sex": ("Sex", "性别"), "male": ("Male", "男"), "female": ("Female", "女"),
    "birth": ("Date of Birth", "出生日期"), "nationality": ("Nationality", "国籍"),
    "address": ("Address", "通信地址"), "phone": ("Phone", "联系电话"),
    "email": ("E-mail", "电子邮箱"), "id_no": ("ID Number", "证件号码"),
    "employer": ("Employer", "工作单位"), "position": ("Position", "职务"),
    "department": ("Department", "部门"), "reason": ("Reason", "申请理由"),
    "remarks": ("Remarks", "备注"), "office_use": ("For office use only", "以下由工作人员填写"),
    "yes": ("Yes", "是"), "no": ("No", "否"), "postcode": ("Postcode", "邮编"),
    "marital": ("Marital Status", "婚姻状况"), "single": ("Single", "未婚"),
    "married": ("Married", "已婚"), "education": ("Education", "教育背景"),
    "attachment": ("Attachments", "附件"), "instructions": ("Instructions", "填表说明"),
    "report": ("Annual Report", "年度报告"), "yearbook": ("Statistical Yearbook", "统计年鉴"),
    "highlights": ("Highlights", "主要数据"), "revenue": ("Revenue", "营业收入"),
    "profit": ("Net Profit", "净利润"), "growth": ("Growth", "同比增长"),
    "region": ("Region", "地区"), "year": ("Year", "年份"), "source": ("Source", "数据来源"),
    "note": ("Note", "注"), "share": ("Share", "占比"), "population": ("Population", "人口"),
    "output": ("Output", "产值"), "income": ("Income", "收入"), "cost": ("Cost", "成本"),
    "assets": ("Assets", "资产"), "mean": ("Mean", "均值"), "median": ("Median", "中位数"),
    "north": ("North", "北区"), "south": ("South", "南区"), "east": ("East", "东区"),
    "west": ("West", "西区"), "central": ("Central", "中区"), "contents": ("Contents", "目录"),
    "page": ("page", "页"), "edition": ("Edition", "版"), "editor": ("Editor", "责任编辑"),
    "weather": ("Weather", "天气"), "continued": ("continued on page", "下转第"),
    "news": ("News", "要闻"), "culture": ("Culture", "文化"), "science": ("Science", "科技"),
    "sports": ("Sports", "体育"), "local": ("Local", "本地"), "opinion": ("Opinion", "评论"),
    "glossary": ("Glossary", "词汇表"), "vocabulary": ("Vocabulary", "生词表"),
    "unit_no": ("Unit", "单元"), "text": ("Text", "课文"), "notes": ("Notes", "注释"),
    "translation": ("Translation", "译文"), "menu": ("Menu", "菜单"),
    "price_list": ("Price List", "价目表"), "starters": ("Starters", "凉菜"),
    "mains": ("Main Courses", "热菜"), "soups": ("Soups", "汤羹"), "desserts": ("Desserts", "甜品"),
    "drinks": ("Drinks", "饮品"), "specials": ("Specials", "特色推荐"),
    "noodles": ("Noodles and Rice", "主食"), "open": ("Open daily", "营业时间"),
    "dear": ("Dear", "尊敬的"), "regards": ("Yours sincerely,", "此致敬礼"),
    "subject": ("Subject", "主题"), "enclosed": ("Enclosed", "附"), "copy": ("cc", "抄送"),
    "resume": ("Curriculum Vitae", "个人简历"), "profile": ("Profile", "个人简介"),
    "experience": ("Experience", "工作经历"), "skills": ("Skills", "专业技能"),
    "languages": ("Languages", "语言能力"), "awards": ("Awards", "获奖情况"),
    "projects": ("Projects", "项目经历"), "publications": ("Publications", "发表论文"),
    "contact": ("Contact", "联系方式"), "interests": ("Interests", "兴趣爱好"),
    "timetable": ("Timetable", "课程表"), "calendar": ("Calendar", "日历"),
    "schedule": ("Schedule", "日程安排"), "time": ("Time", "时间"), "room": ("Room", "教室"),
    "place": ("Place", "地点"), "train": ("Train", "车次"), "from": ("From", "始发站"),
    "to": ("To", "终点站"), "departs": ("Departs", "发车"), "arrives": ("Arrives", "到达"),
    "break": ("Break", "休息"), "agenda": ("Agenda", "议程"), "speaker": ("Speaker", "主讲人"),
    "listing": ("Listing", "代码清单"), "output_of": ("Output", "输出结果"),
    "poster": ("Conference Poster", "学术海报"), "background": ("Background", "研究背景"),
    "objective": ("Objectives", "研究目标"), "thanks": ("Acknowledgements", "致谢"),
    "outline": ("Outline", "提纲"), "summary": ("Summary", "小结"), "questions": ("Q & A", "问答"),
    "model": ("Model", "型号"), "brand": ("Brand", "品牌"), "size": ("Size", "规格"),
    "stock": ("Stock", "库存"), "rate": ("Rate", "比率"), "index": ("Index", "指数"),
    "target": ("Target", "目标"), "change": ("Change", "增减"), "rank": ("Rank", "排名"),
}
WEEKDAYS = (
    ("Monday", "星期一"), ("Tuesday", "星期二"), ("Wednesday", "星期三"), ("Thursday", "星期四"),
    ("Friday", "星期五"), ("Saturday", "星期六"), ("Sunday", "星期日"),
)
MONTHS = (
    ("January", "一月"), ("February", "二月"), ("March", "三月"), ("April", "四月"),
    ("May", "五月"), ("June", "六月"), ("July", "七月"), ("August", "八月"),
    ("September", "九月"), ("October", "十月"), ("November", "十一月"), ("December", "十二月"),
)
_GIVEN = (
    "Ada Alan Amara Anna Ben Carla Chen Clara Daniel Diego Elena Emma Erik Farah Felix Grace Hana "
    "Hugo Ines Ivan James Jana Karim Kate Lena Leo Lucia Maria Mark Maya Mina Nadia Nils Noah Nora "
    "Omar Oscar Paul Petra Priya Rosa Ruth Sam Sara Sofia Tariq Thomas Tom Uma Vera Victor Yara Zoe"
)
GIVEN = _GIVEN.split()
_FAMILY = (
    "Abbott Adler Baker Berger Bishop Brandt Castillo Cohen Costa Dalton Diaz Dubois Eriksen Evans "
    "Farrell Fischer Foster Garcia Grant Haddad Hansen Hughes Ibrahim Ivanov Jensen Keller Khan "
    "Kim Kovacs Larsen Lopez Martin Meyer Moreau Nakamura Novak Olsen Owens Park Patel Quinn Ramos "
    "Reyes Rossi Sato Schmidt Silva Stone Tanaka Torres Turner Vogel Walsh Weber Young Zhang"
)
FAMILY = _FAMILY.split()
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
GIVEN_HAN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文志国春梅兰云海波宁宇晨曦子涵欣怡佳"
    "嘉思雨诗雅慧婷俊浩博天佑安然若林江峰"
)
_STREETS = "Mill Station Park Church River Market Bridge Garden Harbour Oak Hill Queen King"
STREETS = _STREETS.split()
STREET_KINDS = ("Street", "Road", "Lane", "Avenue", "Square")
_TOWNS = (
    "Ashford Brookfield Carlton Dunmore Easton Fairview Glenwood Hartley Kingsbury Lakeside "
    "Milton Newport Oakdale Preston Redhill Stanford Thornton Weston"
)
TOWNS = _TOWNS.split()
_CITIES = "北京 上海 广州 深圳 杭州 南京 武汉 成都 西安 重庆 天津 苏州 长沙 青岛 厦门 昆明"
CITIES = _CITIES.split()
_ROADS = "中山路 人民路 解放路 建设路 和平路 长江路 黄河路 文化路 学院路 新华路 朝阳路 滨海路"
ROADS = _ROADS.split()
UNITS = (("pcs", "件"), ("kg", "千克"), ("box", "箱"), ("set", "套"), ("hour", "小时"), ("m", "米"))
COMPANY = (
    ("Ltd.", "有限公司"), ("Inc.", "股份有限公司"), ("Group", "集团"), ("Institute", "研究所"),
    ("University", "大学"), ("Laboratory", "实验室"),
)
# fmt: on
