"""Makes `multilingual-e5-small-q4/centre.f32` again: the mean vector of the model, over sentences of its own.

    pincite models pull multilingual-e5-small-q4 --data-dir target/e5
    python3 -m venv target/make-centre
    target/make-centre/bin/pip install -r models/requirements.txt tokenizers
    target/make-centre/bin/python models/make_e5_centre.py target/e5/models/multilingual-e5-small-q4 [--out FILE]

The vectors of this model lie in a narrow cone: two texts that have nothing in common have a cosine of .73. `pincite` subtracts the mean from
every vector, after which it is near 0, as with other models. The numbers are rounded to 1/4096, so that small differences between
processors vanish. Without `--out` the result is compared with the committed file. Exit 0: the same bytes; 1: others.
"""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
COMMITTED = HERE / "multilingual-e5-small-q4" / "centre.f32"

# Different subjects in different languages, written for this file.
SENTENCES = """
The ferry leaves at seven and arrives before noon.
Our team closed the quarter with a small surplus.
let total = items.iter().map(|item| item.price).sum();
She learned to play the cello when she was nine.
Heavy rain is expected in the mountains tonight.
The patient was given antibiotics for ten days.
Der Zug nach Leipzig hat vierzig Minuten Verspätung.
Die Bäckerei an der Ecke öffnet um sechs Uhr.
Das Gericht hat den Antrag am Dienstag abgelehnt.
Ein Eichhörnchen vergräbt Nüsse für den Winter.
La recette demande deux œufs et un peu de farine.
Le musée expose des tableaux du dix-neuvième siècle.
Les abeilles disparaissent dans plusieurs régions.
Le contrat peut être résilié avec un mois de préavis.
El partido terminó empatado después de la prórroga.
La biblioteca presta libros durante tres semanas.
El volcán entró en erupción durante la madrugada.
Los precios de la vivienda siguen subiendo.
O rio transbordou e inundou a estrada principal.
A reunião foi adiada para a próxima semana.
Il medico consiglia di camminare ogni giorno.
La chiesa fu costruita nel dodicesimo secolo.
De fiets staat al een week voor het station.
Het bestuur stemt morgen over de begroting.
Samolot wylądował bezpiecznie mimo mgły.
Dzieci uczą się czytać w pierwszej klasie.
Hamnen stängs när isen blir för tjock.
Prosessoren bruker mindre strøm enn før.
Учёные открыли новый вид лягушек в тропиках.
Магазин закрыт по воскресеньям.
Договор вступает в силу с первого января.
Ключ лежит под ковриком у двери.
Η αγορά ανοίγει νωρίς το πρωί.
Ο ποιητής γεννήθηκε σε ένα μικρό νησί.
Fırtına yüzünden uçuşlar iptal edildi.
Çay sıcakken içilmelidir.
افتتحت المدرسة الجديدة في شهر سبتمبر.
تستهلك هذه السيارة وقودا أقل.
يعيش الجمل في الصحراء.
हिमालय में इस साल कम बर्फ गिरी।
किसान ने खेत में गेहूँ बोया।
दुकान रात नौ बजे बंद होती है।
这座桥建于一九六八年。
请在下班之前关掉电脑。
科学家测量了海水的温度。
昨天晚上我们吃了饺子。
新しい駅は来年の春に完成する予定です。
猫は窓のそばで眠っている。
서버를 다시 시작하면 문제가 해결됩니다.
가을에는 단풍이 아름답다.
รถไฟฟ้าสายใหม่เปิดให้บริการแล้ว
ชาวนาปลูกข้าวในฤดูฝน
Chợ nổi họp từ lúc sáng sớm.
Máy tính này chạy rất chậm.
Kapal itu membawa kopi dan rempah-rempah.
Gempa bumi merusak beberapa rumah.
A folyó partján régi malom áll.
Linnut muuttavat etelään syksyllä.
Daktari alimshauri apumzike.
המוזיאון סגור בימי שני.
""".strip().splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="the model's folder")
    parser.add_argument("--out", type=pathlib.Path, help="write the file here")
    arguments = parser.parse_args()

    import numpy
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    session = onnxruntime.InferenceSession(arguments.model / "model.onnx", providers=["CPUExecutionProvider"])
    mean = numpy.zeros(384)
    for sentence in SENTENCES:
        for prefix in ("query: ", "passage: "):
            ids = numpy.array([tokenizer.encode(prefix + sentence).ids])
            inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}
            vector = session.run(["last_hidden_state"], inputs)[0][0].mean(axis=0)
            mean += vector / numpy.linalg.norm(vector)
    mean /= 2 * len(SENTENCES)
    content = (numpy.rint(mean * 4096) / 4096).astype("<f4").tobytes()
    if arguments.out:
        arguments.out.write_bytes(content)
    elif content != COMMITTED.read_bytes():
        sys.exit(f"error: {COMMITTED} has other bytes")
    print("ok")


if __name__ == "__main__":
    main()
